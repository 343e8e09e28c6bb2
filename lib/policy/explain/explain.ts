/**
 * Explains a policy: what each hook reads, the order of evaluation of its selectors, its actions and its cost.
 */
import { findFilteredSlots, isReadAtReturn, type FilterList } from '../model/slots.js';
import type { CompiledHook, CompiledPolicy } from '../../compiled/compiled-policy.js';
import type { KernelInfo } from '../../../types/kernel.js';
import { isMarkAction, MarkScopes } from '../model/marks.js';
import type { ActionData, ArgData, Hook, PolicyData, SelectorData, ValueFilter } from '../model/model.js';
import type { Analysis } from '../analyse.js';
import { isSeverity, MATURITIES, MATURITY_ANNOTATION, SEVERITY_ANNOTATION } from '../../names/severity.js';
import { isOptionName, optionEffect } from '../language/options.js';
import { ARG_TYPES, COMPARED_AS, isExpressionOperator, type ValueClass } from '../language/vocabulary.js';
import type { HookExplanation, PolicyExplanation, SelectorExplanation } from '../../../types/policy.js';
import { compileEnforcers } from '../compile/enforcers.js';
import { compileNodeConditions, compileScope, compilePolicyScope } from '../compile/scopes.js';
import { compileTargets } from '../compile/targets.js';
import { estimateCost } from './cost.js';
import { describeNodes, describeScope } from './scopes.js';
import {
  describeAction,
  describeArg,
  describeBinaries,
  describeCmdArgs,
  describeChanges,
  describeData,
  describeDuration,
  describeFilter,
  describeMarks,
  describePids,
  describeRead,
  describeProcessState,
  describeType,
} from './phrases.js';
import { describeCount, describeMarkAction } from './counts.js';
import { describeMechanism, describeTarget } from './targets.js';

export function explainAnalysis(
  analysis: Analysis,
  compiled: CompiledPolicy | undefined,
  unsupported: readonly string[],
  kernel?: KernelInfo,
): PolicyExplanation {
  const { data, hooks } = analysis;
  const compiledHooks = (compiled?.hooks ?? []).filter(({ kind }) => kind !== 'enforcer' && kind !== 'loader');
  const explained = hooks.map((hook) => {
    const own = compiledHooks.splice(0, compiled === undefined ? 0 : compileTargets(data, hook).length);
    return explainHook(analysis, hook, own[0], kernel);
  });
  const scope = compilePolicyScope(data);
  const nodes = compileNodeConditions(data);
  return {
    name: data.metadata?.name ?? '',
    ...(data.kind === 'TracingPolicyNamespaced' ? { namespace: data.metadata?.namespace ?? 'default' } : {}),
    file: analysis.file,
    ...explainAnnotations(data),
    unsupported,
    ...(scope === undefined ? {} : { scope: describeScope(scope) }),
    ...(nodes === undefined ? {} : { nodes: describeNodes(nodes) }),
    options: explainOptions(data),
    hooks: explained,
    enforcers: compileEnforcers(analysis).map(({ call }) => call),
    ...(data.spec?.loader === true ? { loader: true as const } : {}),
    tableBytes: (compiled?.hooks ?? []).reduce((sum, hook) => sum + estimateCost(hook).tableBytes, 0),
    ...(compiled === undefined ? {} : { image: compiled }),
  };
}

function explainAnnotations({ metadata }: PolicyData): Pick<PolicyExplanation, 'severity' | 'maturity'> {
  const { [SEVERITY_ANNOTATION]: severity, [MATURITY_ANNOTATION]: given } = metadata?.annotations ?? {};
  const maturity = MATURITIES.find((each) => each === given);
  return { ...(isSeverity(severity) ? { severity } : {}), ...(maturity === undefined ? {} : { maturity }) };
}

/** If an option is given several times, the last one counts. */
function explainOptions({ spec }: PolicyData): PolicyExplanation['options'] {
  const written = new Map((spec?.options ?? []).map(({ name, value }) => [name, value]));
  return [...written].flatMap(([name, value]) =>
    name === undefined || value === undefined || !isOptionName(name)
      ? []
      : [{ name, value, effect: optionEffect(name, value) }],
  );
}

function explainHook(
  analysis: Analysis,
  hook: Hook,
  compiled: CompiledHook | undefined,
  kernel?: KernelInfo,
): HookExplanation {
  const { data } = hook;
  const scopes = new MarkScopes(analysis.hooks);
  const selectors: readonly SelectorData[] = hook.selectors.length > 0 ? hook.selectors : [{}];
  return {
    kind: hook.kind,
    target: describeTarget(analysis, hook, kernel),
    attach: describeMechanism(analysis, hook, kernel),
    ...(data.message === undefined || data.message === '' ? {} : { message: data.message }),
    reads: describeReads(data.args ?? [], data.data ?? [], data.return === true ? data.returnArg : undefined),
    selectors: selectors.map((selector) => explainSelector(hook, selector, scopes)),
    ...(compiled === undefined ? {} : { cost: estimateCost(compiled) }),
  };
}

function describeReads(args: readonly ArgData[], data: readonly ArgData[], returned: ArgData | undefined): string[] {
  return [
    ...args
      .filter((arg) => arg.type !== 'nop')
      .map((arg) => `${describeValue(arg)}${describeRead(arg.source === undefined ? arg : { ...arg, resolve: '' })}`),
    ...data.map((arg) => `${describeData(arg)}${describeRead({ ...arg, resolve: '' })}`),
    ...(returned === undefined ? [] : [`return value (${describeType(returned)})${describeRead(returned)}`]),
  ];
}

/** Describes an argument, which may also have another source than a parameter. */
function describeValue(arg: ArgData | undefined): string {
  return arg?.source === undefined ? describeArg(arg, 'an argument') : describeData(arg);
}

/** Describes all values that a filter compares. Expressions and comparisons of two sets have several. */
function describeSubject(hook: Hook, list: FilterList, filter: ValueFilter): string {
  const slots = findFilteredSlots(hook, list, filter);
  const phrases = slots.map((slot) =>
    list === 'matchData'
      ? describeData(slot?.arg)
      : list === 'matchArgs'
        ? describeValue(slot?.arg)
        : describeReturnValue(slot?.arg),
  );
  return phrases.join(', ');
}

function describeReturnValue(arg: ArgData | undefined): string {
  return `return value (${arg === undefined ? '' : describeType(arg)})`;
}

/** The order in which the BPF programs evaluate conditions: cheap ones come first. */
const EVALUATION_ORDER = {
  scope: -1,
  number: 0,
  expression: 1,
  process: 2,
  binary: 3,
  change: 4,
  string: 5,
  socket: 5,
  address: 5,
  path: 6,
  return: 7,
  nothing: 0,
} as const satisfies Readonly<Record<(typeof COMPARED_AS)[ValueClass], number>> & Readonly<Record<string, number>>;

interface Condition {
  readonly order: number;
  readonly phrase: string;
}

function explainSelector(hook: Hook, selector: SelectorData, scopes: MarkScopes): SelectorExplanation {
  const conditions: Condition[] = [];
  const add = (order: number, phrase: string): void => void conditions.push({ order, phrase });
  const workloads = compileScope(selector.matchWorkloads ?? {}, undefined, false);
  if (workloads !== undefined) add(EVALUATION_ORDER.scope, describeScope(workloads).join(', or '));
  for (const filter of selector.matchPIDs ?? [])
    add(filter.followForks === true ? EVALUATION_ORDER.binary : EVALUATION_ORDER.process, describePids(filter));
  for (const filter of selector.matchBinaries ?? []) add(EVALUATION_ORDER.binary, describeBinaries('binary', filter));
  for (const filter of selector.matchParentBinaries ?? [])
    add(EVALUATION_ORDER.binary, describeBinaries("parent's binary", filter));
  for (const filter of selector.matchCmdArgs ?? []) add(EVALUATION_ORDER.binary, describeCmdArgs(filter));
  for (const filter of selector.matchMarks ?? [])
    add(
      EVALUATION_ORDER.binary,
      describeMarks(filter, (mark) => scopes.ofName(mark, filter.shared)),
    );
  for (const phrase of describeProcessState(selector)) add(EVALUATION_ORDER.process, phrase);
  for (const phrase of describeChanges(selector)) add(EVALUATION_ORDER.change, phrase);
  for (const list of ['matchArgs', 'matchData', 'matchReturnArgs'] as const) {
    for (const filter of selector[list] ?? []) {
      if (isDurationFilter(hook, selector, list, filter)) continue;
      add(filterOrder(hook, list, filter), describeFilter(describeSubject(hook, list, filter), filter));
    }
  }
  if (selector.matchDuration !== undefined) add(EVALUATION_ORDER.return, describeDuration(selector.matchDuration));
  const actions = [
    ...(selector.matchActions ?? []).map((action) => explainAction(hook, action, scopes)),
    ...(selector.matchReturnActions ?? []).map((action) => `on return: ${explainAction(hook, action, scopes)}`),
    ...(isSilent(selector) ? ['no event'] : []),
  ];
  return {
    conditions: conditions.sort((a, b) => a.order - b.order).map(({ phrase }) => phrase),
    actions: actions.length > 0 ? actions : ['Post'],
  };
}

/** True for the filter that model/duration.ts makes of matchDuration: the last one of matchData. */
function isDurationFilter(hook: Hook, selector: SelectorData, list: FilterList, filter: ValueFilter): boolean {
  if (selector.matchDuration === undefined || filter !== selector.matchData?.at(-1)) return false;
  return findFilteredSlots(hook, list, filter)[0]?.arg.source === 'duration';
}

function explainAction(hook: Hook, action: ActionData, scopes: MarkScopes): string {
  if (action.action === 'Count') return describeCount(hook, action);
  if (!isMarkAction(action)) return describeAction(action);
  return describeMarkAction({ ...action, scope: action.scope ?? scopes.ofName(action.mark ?? '', action.shared) ?? 'process' }); // prettier-ignore
}

/** A selector that only counts reports no event: compile/actions.ts. */
function isSilent({ matchActions = [], matchReturnActions = [] }: SelectorData): boolean {
  const all = [...matchActions, ...matchReturnActions];
  return all.length > 0 && all.every(({ action }) => action === 'Count');
}

function filterOrder(hook: Hook, list: FilterList, filter: ValueFilter): number {
  const slots = findFilteredSlots(hook, list, filter);
  const [slot] = slots;
  if (list === 'matchReturnArgs' || slots.some((each) => each !== undefined && isReadAtReturn(each, hook.data)))
    return EVALUATION_ORDER.return;
  if (filter.operator !== undefined && isExpressionOperator(filter.operator)) return EVALUATION_ORDER.expression;
  const type = slot?.arg.type ?? 'auto';
  return EVALUATION_ORDER[COMPARED_AS[ARG_TYPES[type].class]];
}
