/** Finds the known ways around a policy. docs/bypass.md explains their codes. */
import type { PolicyBypass } from '../../../../types/bypass.js';
import type { KernelInfo } from '../../../../types/kernel.js';
import type { Analysis } from '../../analyse.js';
import { compileTargets, targetField } from '../../compile/targets.js';
import { ACTION_TABLE, type ActionRule } from '../../language/actions.js';
import type { SelectorData } from '../../model/model.js';
import type { Report } from '../../parse/report.js';
import type { Span } from '../../parse/positions.js';
import { CALL_WAYS } from './calls.js';
import { BYPASSES } from './codes.js';
import { hookFunctions, type Finding, type HookContext } from './context.js';
import { findProcessWays } from './processes.js';
import { findValueWays } from './values.js';

/** A way with its place in the text of the policy. */
interface LocatedBypass {
  readonly bypass: PolicyBypass;
  readonly span: Span;
}

export function locateBypasses(analysis: Analysis, kernel?: KernelInfo): LocatedBypass[] {
  const { data: policy, hooks } = analysis;
  const functions = hooks.map((hook) => hookFunctions(policy, hook, kernel));
  const hooked = new Set(functions.flat());
  return hooks.flatMap((hook, i) => {
    const selectors = hook.selectors.length > 0 ? hook.selectors : [{}];
    const context = { policy, hook, selectors, functions: functions[i] ?? [], hooked, kernel };
    const findings = [
      ...CALL_WAYS.flatMap((find) => find(context)),
      ...findValueWays(context),
      ...findProcessWays(context),
    ];
    return mergeFindings(findings).map((found) => locateBypass(analysis, context, found));
  });
}

/** Warns of the ways that an unprivileged process can choose, and that a change of the policy closes. */
export function warnBypasses(analysis: Analysis, kernel: KernelInfo | undefined, report: Report): void {
  for (const { bypass, span } of locateBypasses(analysis, kernel)) {
    const { code, way, remedy, danger } = bypass;
    if (danger === undefined) continue;
    report.add(danger === 'enforcement' ? 'ENFORCEMENT_BYPASS' : 'EXEMPTION_BYPASS', span, `${code}: ${way}`, remedy);
  }
}

/** One way around a hook, with all selectors that it concerns. */
type MergedFinding = Omit<Finding, 'selector'> & { readonly selectors?: readonly number[] };

function mergeFindings(findings: readonly Finding[]): MergedFinding[] {
  const merged = new Map<string, MergedFinding>();
  for (const { selector, ...found } of findings) {
    const key = `${found.code} ${found.exempts === true} ${found.way}`;
    const earlier = merged.get(key);
    const selectors = selector === undefined ? undefined : [...new Set([...(earlier?.selectors ?? []), selector])];
    merged.set(key, { ...(earlier ?? found), ...(selectors === undefined ? {} : { selectors }) });
  }
  return [...merged.values()];
}

function locateBypass({ positions, data }: Analysis, context: HookContext, found: MergedFinding): LocatedBypass {
  const { code, way, remedy, at, certain = true } = found;
  const { hook } = context;
  const selectors = found.selectors ?? [...context.selectors.keys()];
  const span = at === undefined ? positions.value(hook.data, targetField(hook)) : positions.value(at);
  const danger = BYPASSES[code].warns && certain ? findDanger(context, found, selectors) : undefined;
  const bypass: PolicyBypass = {
    code,
    kind: hook.kind,
    hook: compileTargets(data, hook)[0]?.call ?? '',
    selectors,
    way,
    remedy,
    needs: BYPASSES[code].needs,
    certain,
    ...(danger === undefined ? {} : { danger }),
    ...positions.toPosition(span),
  };
  return { bypass, span };
}

function findDanger(
  { policy, selectors }: HookContext,
  { exempts = false }: MergedFinding,
  concerned: readonly number[],
): PolicyBypass['danger'] {
  const mode = policy.spec?.options?.findLast(({ name }) => name === 'policy-mode')?.value;
  const enforces = concerned.some((i) => isEnforcing(selectors[i] ?? {}));
  if (enforces && (mode === undefined || mode === 'enforce')) return 'enforcement';
  return exempts ? 'exemption' : undefined;
}

const ENFORCING: ReadonlySet<ActionRule['effect']> = new Set<ActionRule['effect']>([
  'signal',
  'override',
  'argument',
  'enforcer',
]);

function isEnforcing({ matchActions = [], matchReturnActions = [] }: SelectorData): boolean {
  return [...matchActions, ...matchReturnActions].some(
    ({ action }) => action !== undefined && ENFORCING.has(ACTION_TABLE[action].effect),
  );
}
