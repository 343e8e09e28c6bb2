/**
 * Compiles a checked policy into the image that configures the BPF programs. The same policy always gives the same
 * image.
 */
import type { Steps } from '../../cooperative.js';
import { filteredSlots, type FilterList } from '../model/slots.js';
import { sparing, suppressing } from '../../compiled/compiled-hook.js';
import type { CompiledHook, CompiledPolicy } from '../../compiled/compiled-policy.js';
import { POLICY_HOOKS_MAX, PROCESS_SETS_MAX, SCOPES_MAX } from '../language/limits.js';
import type { Hook } from '../model/model.js';
import type { Architecture } from '../../names/syscalls.js';
import type { Analysis } from '../analyse.js';
import type { Report } from '../parse/report.js';
import { hookActions, modeOf, singleLinks, tracksSockets } from './actions.js';
import { celSteps } from './cel.js';
import { enforcersOf } from './enforcers.js';
import { loaderOf } from './loader.js';
import { clauseOf, type Clause, type Context } from './filters.js';
import { changeTests, processGroups } from './process.js';
import { nodesOf, Scopes } from './scopes.js';
import { ProcessSets } from './sets.js';
import { checkHookSize } from './size.js';
import { targetField, targetsOf } from './targets.js';
import { valueImage } from './values.js';

/** The policy is already known to be valid and supported. Only limits of the BPF programs are reported here. */
export function* compile(analysis: Analysis, report: Report, architecture: Architecture): Steps<CompiledPolicy> {
  const { data, hooks } = analysis;
  const sets = new ProcessSets(data);
  const scopes = new Scopes(data);
  const context: Context = { policy: data, architecture, report };
  const tracks = tracksSockets(hooks);
  // Enforcers come first: they must be ready before another hook can notify them.
  const images = [...enforcersOf(analysis)];
  for (const hook of hooks) {
    yield;
    images.push(...compileHook(analysis, hook, { sets, scopes, tracks }, context));
  }
  images.push(...loaderOf(analysis, scopes));
  const { metadata } = data;
  const mode = modeOf(data);
  const whole = report.places.value(data, 'spec');
  if (images.length > POLICY_HOOKS_MAX) {
    const message = `the policy has ${images.length} hooks; a tracer runs at most ${POLICY_HOOKS_MAX}`;
    report.add('LIMIT_HOOKS', whole, message, 'use shorter lists of functions');
  }
  if (sets.sets.length > PROCESS_SETS_MAX) {
    const message = `the policy has ${sets.sets.length} different sets of processes; a tracer keeps at most ${PROCESS_SETS_MAX}`;
    report.add('LIMIT_PROCESS_SETS', whole, message, 'use the same matchBinaries in several selectors');
  }
  if (scopes.scopes.length > SCOPES_MAX) {
    const message = `the policy has ${scopes.scopes.length} different scopes; a tracer keeps at most ${SCOPES_MAX}`;
    report.add('LIMIT_SCOPES', whole, message, 'use the same matchWorkloads in several selectors');
  }
  const nodes = nodesOf(data);
  return {
    name: metadata?.name ?? '',
    ...(data.kind === 'TracingPolicyNamespaced' ? { namespace: metadata?.namespace ?? 'default' } : {}),
    hooks: images,
    processSets: sets.sets,
    scopes: scopes.scopes,
    ...(nodes === undefined ? {} : { nodes }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function compileHook(
  analysis: Analysis,
  hook: Hook,
  { sets, scopes, tracks }: { sets: ProcessSets; scopes: Scopes; tracks: boolean },
  context: Context,
): CompiledHook[] {
  const { data, selectors } = hook;
  const { report } = context;
  const { args = [], data: others = [], returnArg } = data;
  const clauses = clausesBySlot(hook);
  const values = [...args, ...others].map((arg, slot) => valueImage(arg, clauses.get(slot) ?? [], context));
  const returned = clauses.get(values.length) ?? [];
  const actions = hookActions(hook, tracks);
  const links = singleLinks(analysis.data, hook);
  const common = {
    position: { file: analysis.file, ...report.places.position(report.places.value(data, targetField(hook))) },
    ...(data.message === undefined || data.message === '' ? {} : { message: data.message }),
    ...(data.ignore?.callNotFound === true || data.optional === true ? { ignoreCallNotFound: true as const } : {}),
    ...(links ? { singleLinks: true as const } : {}),
    ...(data.btfPath === undefined ? {} : { btfPath: data.btfPath }),
    tags: data.tags ?? [],
    selectors: Math.max(selectors.length, 1),
    args: values.slice(0, args.length),
    data: values.slice(args.length),
    ...(data.return === true && returnArg !== undefined ? { returnArg: valueImage(returnArg, returned, context) } : {}),
    process: processGroups(selectors),
    sets: [...sets.tests(selectors, suppressing(actions)), ...sets.yields(selectors, sparing(actions))],
    scopes: scopes.tests(selectors, suppressing(actions)),
    changes: changeTests(selectors),
    cel: celSteps(hook, report),
    ...actions,
  };
  checkHookSize(hook, common, report);
  return targetsOf(analysis.data, hook).map((target) => ({ ...target, ...common }));
}

/** Groups the filters of all selectors by the slot of the value that they compare. */
function clausesBySlot(hook: Hook): Map<number, Clause[]> {
  const found = new Map<number, Clause[]>();
  const lists: readonly FilterList[] = ['matchArgs', 'matchData', 'matchReturnArgs'];
  hook.selectors.forEach((selector, s) => {
    for (const list of lists) {
      for (const filter of selector[list] ?? []) {
        if (filter.operator === 'CelExpr') continue; // celSteps compiles it
        const slot = filteredSlots(hook, list, filter)[0]?.slot;
        if (slot === undefined) continue;
        found.set(slot, [...(found.get(slot) ?? []), clauseOf(s, filter)]);
      }
    }
  });
  return found;
}
