/**
 * Compiles a checked policy into the data that configures the BPF programs. The same policy always gives the same data.
 */
import type { Steps } from '../../cooperative.js';
import { findFilteredSlots, type FilterList } from '../model/slots.js';
import { reportOnlySelectors, suppressingSelectors } from '../../compiled/compiled-hook.js';
import type { CompiledHook, CompiledPolicy } from '../../compiled/compiled-policy.js';
import { MARKS_MAX, POLICY_HOOKS_MAX, PROCESS_SETS_MAX, SCOPES_MAX } from '../language/limits.js';
import type { Hook } from '../model/model.js';
import { isExpressionOperator } from '../language/vocabulary.js';
import type { Architecture } from '../../names/syscalls.js';
import type { Analysis } from '../analyse.js';
import type { Report } from '../parse/report.js';
import { compileHookActions, policyMode, hasSingleLinks, hasTrackedSockets } from './actions.js';
import { compileCounts } from './counts.js';
import { compileHookExpressions } from './cel.js';
import { compileEnforcers } from './enforcers.js';
import { compileLoader } from './loader.js';
import { makeClause, type Clause, type Context } from './filters.js';
import { compileChangeTests, compileProcessGroups } from './process.js';
import { Marks } from './marks.js';
import { compileNodeConditions, Scopes } from './scopes.js';
import { ProcessSets } from './sets.js';
import { checkHookSize } from './size.js';
import { targetField, compileTargets } from './targets.js';
import { compileValue } from './values.js';

/** The policy must be valid and supported. Only limits of the BPF programs are reported here. */
export function* compileAnalysis(
  analysis: Analysis,
  report: Report,
  architecture: Architecture,
): Steps<CompiledPolicy> {
  const { data, hooks } = analysis;
  const sets = new ProcessSets(data);
  const scopes = new Scopes(data);
  const marks = new Marks(hooks);
  const context: Context = { policy: data, architecture, report };
  const isTracking = hasTrackedSockets(hooks);
  // Enforcers come first: they must be ready before another hook can notify them.
  const compiled = [...compileEnforcers(analysis)];
  for (const hook of hooks) {
    yield;
    compiled.push(...compileHook(analysis, hook, { sets, scopes, marks, isTracking }, context));
  }
  compiled.push(...compileLoader(analysis, scopes));
  const { metadata } = data;
  const mode = policyMode(data);
  const span = report.positions.value(data, 'spec');
  if (compiled.length > POLICY_HOOKS_MAX) {
    const message = `the policy has ${compiled.length} hooks; a tracer runs at most ${POLICY_HOOKS_MAX}`;
    report.add('LIMIT_HOOKS', span, message, 'use shorter lists of functions');
  }
  if (sets.sets.length > PROCESS_SETS_MAX) {
    const message = `the policy has ${sets.sets.length} different sets of processes; a tracer keeps at most ${PROCESS_SETS_MAX}`;
    report.add('LIMIT_PROCESS_SETS', span, message, 'use the same matchBinaries in several selectors');
  }
  if (scopes.scopes.length > SCOPES_MAX) {
    const message = `the policy has ${scopes.scopes.length} different scopes; a tracer keeps at most ${SCOPES_MAX}`;
    report.add('LIMIT_SCOPES', span, message, 'use the same matchWorkloads in several selectors');
  }
  if (marks.marks.length > MARKS_MAX) {
    const message = `the policy has ${marks.marks.length} marks; a tracer keeps at most ${MARKS_MAX}`;
    report.add('LIMIT_MARKS', span, message, 'use fewer names');
  }
  const nodes = compileNodeConditions(data);
  return {
    name: metadata?.name ?? '',
    ...(data.kind === 'TracingPolicyNamespaced' ? { namespace: metadata?.namespace ?? 'default' } : {}),
    hooks: compiled,
    processSets: sets.sets,
    scopes: scopes.scopes,
    ...(marks.marks.length === 0 ? {} : { marks: marks.marks }),
    ...(nodes === undefined ? {} : { nodes }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function compileHook(
  analysis: Analysis,
  hook: Hook,
  { sets, scopes, marks, isTracking }: { sets: ProcessSets; scopes: Scopes; marks: Marks; isTracking: boolean },
  context: Context,
): CompiledHook[] {
  const { data, selectors } = hook;
  const { report } = context;
  const { args = [], data: others = [], returnArg } = data;
  const clauses = groupClausesBySlot(hook);
  const values = [...args, ...others].map((arg, slot) => compileValue(arg, clauses.get(slot) ?? [], context));
  const returned = clauses.get(values.length) ?? [];
  const actions = compileHookActions(hook, isTracking);
  const counts = compileCounts(hook);
  const links = hasSingleLinks(analysis.data, hook);
  const common = {
    position: { file: analysis.file, ...report.positions.toPosition(report.positions.value(data, targetField(hook))) },
    ...(data.message === undefined || data.message === '' ? {} : { message: data.message }),
    ...(data.ignore?.callNotFound === true || data.optional === true ? { ignoreCallNotFound: true as const } : {}),
    ...(links ? { singleLinks: true as const } : {}),
    ...(data.btfPath === undefined ? {} : { btfPath: data.btfPath }),
    tags: data.tags ?? [],
    selectors: Math.max(selectors.length, 1),
    args: values.slice(0, args.length),
    data: values.slice(args.length),
    ...(data.return === true && returnArg !== undefined
      ? { returnArg: compileValue(returnArg, returned, context) }
      : {}),
    process: compileProcessGroups(selectors),
    sets: [
      ...sets.compileTests(selectors, suppressingSelectors(actions)),
      ...sets.compileYieldTests(selectors, reportOnlySelectors(actions)),
    ],
    scopes: scopes.compileTests(selectors, suppressingSelectors(actions)),
    changes: compileChangeTests(selectors),
    ...marks.compileHook(hook, report),
    cel: compileHookExpressions(hook, report),
    ...actions,
    ...(counts.length === 0 ? {} : { counts }),
  };
  checkHookSize(hook, common, report);
  return compileTargets(analysis.data, hook).map((target) => ({ ...target, ...common }));
}

/** Groups the filters of all selectors by the slot of the value that they compare. */
function groupClausesBySlot(hook: Hook): Map<number, Clause[]> {
  const found = new Map<number, Clause[]>();
  const lists: readonly FilterList[] = ['matchArgs', 'matchData', 'matchReturnArgs'];
  hook.selectors.forEach((selector, s) => {
    for (const list of lists) {
      for (const filter of selector[list] ?? []) {
        if (filter.operator !== undefined && isExpressionOperator(filter.operator)) continue; // see cel.ts
        const slot = findFilteredSlots(hook, list, filter)[0]?.slot;
        if (slot === undefined) continue;
        found.set(slot, [...(found.get(slot) ?? []), makeClause(s, filter)]);
      }
    }
  });
  return found;
}
