/** The semantic checks of a policy. The walker checks its structure before. */
import type { Steps } from '../../cooperative.js';
import { HOOK_SELECTORS_MAX, POLICY_HOOKS_MAX } from '../language/limits.js';
import type { Hook, PolicyData, SelectorData } from '../model/model.js';
import { quote, type Report } from '../parse/report.js';
import { HOOK_KINDS } from '../language/vocabulary.js';
import { checkAnnotations, checkTags } from './annotations.js';
import { checkActions, checkReturnedSocket } from './actions.js';
import { checkArgs } from './args.js';
import { warnEnforcement } from './enforcement.js';
import { checkCounts, checkMetrics } from './counts.js';
import { checkExpressions } from './expressions.js';
import { checkValueFilters } from './filters.js';
import { checkLists } from './lists.js';
import { checkMacros } from './macros.js';
import { checkMarks } from './marks.js';
import { checkOptions, checkProgram } from './programs.js';
import { checkReachability } from './reachability.js';
import { checkProcessFilters } from './processes.js';
import { checkScopes } from './scopes.js';

export function* checkSemantics(policy: PolicyData, hooks: readonly Hook[], report: Report): Steps<void> {
  checkPolicyName(policy, report);
  checkAnnotations(policy, report);
  checkHookCount(policy, hooks, report);
  checkMacros(policy, hooks, report);
  checkLists(policy, hooks, report);
  checkScopes(policy, report);
  checkMarks(hooks, report);
  checkOptions(policy, report);
  for (const hook of hooks) {
    yield;
    checkTags(hook, report);
    checkArgs(hook, report);
    checkProgram(hook, report);
    checkReturnedSocket(hook, report);
    if (hook.selectors.length > HOOK_SELECTORS_MAX) {
      const extra = hook.data.selectors?.[HOOK_SELECTORS_MAX] as SelectorData;
      const message = `this hook has ${hook.selectors.length} selectors; at most ${HOOK_SELECTORS_MAX} are allowed`;
      report.add(
        'LIMIT_SELECTORS',
        report.positions.value(extra),
        message,
        'write alternatives as values of one filter, or make a second hook',
      );
    }
    for (const selector of hook.selectors) {
      checkValueFilters(hook, selector, report);
      checkProcessFilters(selector, report);
      checkActions(policy, hook, selector, report);
      checkCounts(hook, selector, report);
      warnEnforcement(policy, hook, selector, report);
    }
    checkExpressions(hook, report);
    checkReachability(hook, report);
  }
  checkMetrics(hooks, report);
}

function checkPolicyName(policy: PolicyData, report: Report): void {
  const { metadata } = policy;
  const name = metadata?.name;
  if (metadata === undefined || name === undefined) return;
  const span = report.positions.value(metadata, 'name');

  if (name.length > 253 || /[\u0000-\u001f\u007f/]/.test(name)) {
    report.add(
      'BAD_NAME',
      span,
      `${quote(name)} cannot be the name of a policy`,
      'use at most 253 characters, without / and control characters',
    );
  } else if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)) {
    report.add(
      'NAME_NOT_PORTABLE',
      span,
      `a Kubernetes cluster would refuse the name ${quote(name)}`,
      'use lower-case letters, digits, - and .',
    );
  }
}

function checkHookCount(policy: PolicyData, hooks: readonly Hook[], report: Report): void {
  const { spec } = policy;
  if (spec === undefined) return;
  const { positions } = report;
  const extra = hooks[POLICY_HOOKS_MAX];
  if (extra !== undefined) {
    report.add(
      'LIMIT_HOOKS',
      positions.value(extra.data),
      `the policy has ${hooks.length} hooks; a tracer runs at most ${POLICY_HOOKS_MAX}`,
      'use fewer hooks',
    );
  }
  const written = HOOK_KINDS.some((kind) => positions.hasField(spec, kind));
  const loads = positions.hasField(spec, 'loader') && spec.loader !== false;
  // An unknown field is probably a misspelt kind of hook.
  if (!written && !loads && !positions.isIncomplete(spec)) {
    const empty = HOOK_KINDS.find((kind) => positions.hasKey(spec, kind));
    report.add(
      'POLICY_WITHOUT_HOOKS',
      empty === undefined ? positions.value(policy, 'spec') : positions.key(spec, empty),
      `${empty === undefined ? 'the policy has no hooks' : `${empty} has no hook`}, so it observes nothing`,
      empty === undefined
        ? `add one of ${HOOK_KINDS.join(', ')}`
        : `add hooks to ${empty}, each with \`- \`, or check their indentation`,
    );
  }
}
