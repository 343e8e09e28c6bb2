/**
 * Explains a policy: what each hook reads, the order in which its selectors are evaluated, its actions, and its cost.
 */
import { filteredSlots, isLateValue, type FilterList } from '../model/slots.js';
import type { CompiledHook, CompiledPolicy } from '../../compiled/compiled-policy.js';
import type { KernelInfo } from '../../../types/kernel.js';
import { callsOf, findList, isGenerated, listName } from '../model/lists.js';
import { syscallFunctions } from '../../names/calls.js';
import type { ArgData, Hook, PolicyData, SelectorData, ValueFilter } from '../model/model.js';
import type { Analysis } from '../analyse.js';
import { isOptionName, optionEffect } from '../language/options.js';
import { ARG_TYPES, type TypeFacts } from '../language/vocabulary.js';
import type { HookExplanation, PolicyExplanation, SelectorExplanation } from '../../../types/policy.js';
import { enforcersOf } from '../compile/enforcers.js';
import { nodesOf, scopeOf, scopeOfPolicy } from '../compile/scopes.js';
import { targetsOf } from '../compile/targets.js';
import { costOf } from './cost.js';
import { nodeWords, scopeWords } from './scopes.js';
import {
  actionWords,
  argWords,
  binaryWords,
  changeWords,
  dataWords,
  filterWords,
  listValues,
  pidWords,
  readingWords,
  stateWords,
  typeWords,
} from './words.js';

export function explain(
  analysis: Analysis,
  image: CompiledPolicy | undefined,
  unsupported: readonly string[],
  kernel?: KernelInfo,
): PolicyExplanation {
  const { data, hooks } = analysis;
  const images = (image?.hooks ?? []).filter(({ kind }) => kind !== 'enforcer' && kind !== 'loader');
  const explained = hooks.map((hook) => {
    const own = images.splice(0, image === undefined ? 0 : targetsOf(data, hook).length);
    return explainHook(analysis, hook, own[0], kernel);
  });
  const scope = scopeOfPolicy(data);
  const nodes = nodesOf(data);
  return {
    name: data.metadata?.name ?? '',
    ...(data.kind === 'TracingPolicyNamespaced' ? { namespace: data.metadata?.namespace ?? 'default' } : {}),
    file: analysis.file,
    unsupported,
    ...(scope === undefined ? {} : { scope: scopeWords(scope) }),
    ...(nodes === undefined ? {} : { nodes: nodeWords(nodes) }),
    options: explainOptions(data),
    hooks: explained,
    enforcers: enforcersOf(analysis).map(({ call }) => call),
    ...(data.spec?.loader === true ? { loader: true as const } : {}),
    tableBytes: (image?.hooks ?? []).reduce((sum, hook) => sum + costOf(hook).tableBytes, 0),
    ...(image === undefined ? {} : { image }),
  };
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
  image: CompiledHook | undefined,
  kernel?: KernelInfo,
): HookExplanation {
  const { data } = hook;
  const selectors: readonly SelectorData[] = hook.selectors.length > 0 ? hook.selectors : [{}];
  return {
    kind: hook.kind,
    target: targetWords(analysis, hook, kernel),
    attach: attachWords(analysis, hook, kernel),
    ...(data.message === undefined || data.message === '' ? {} : { message: data.message }),
    reads: readWords(data.args ?? [], data.data ?? [], data.return === true ? data.returnArg : undefined),
    selectors: selectors.map((selector) => explainSelector(hook, selector)),
    ...(image === undefined ? {} : { cost: costOf(image) }),
  };
}

function targetWords({ data: policy }: Analysis, { kind, data }: Hook, kernel?: KernelInfo): string {
  switch (kind) {
    case 'tracepoints':
      return `tracepoint ${data.subsystem}/${data.event}${data.raw === true ? ' (raw)' : ''}`;
    case 'lsmhooks':
      return `LSM hook ${data.hook}`;
    case 'uprobes':
      return `${listPlaces(data.symbols, data.offsets, data.addrs)} in ${data.path}`;
    case 'usdts':
      return `probe ${data.provider}:${data.name} in ${data.path}`;
    default: {
      const { call = '', syscall = true } = data;
      const list = findList(policy, listName(call) ?? '');
      if (list !== undefined && isGenerated(list)) {
        const found = kernel && `${callsOf(policy, call, syscall, kernel).length} of ${kernel.name}`;
        const which = list.pattern === undefined ? 'every system call' : `functions like ${list.pattern}`;
        return `${which} (${call}${found === undefined ? '' : `: ${found}`})`;
      }
      const calls = callsOf(policy, call, syscall);
      const [first] = calls;
      const what = first?.syscall === true ? 'system call' : 'function';
      return calls.length === 1
        ? `${what} ${first?.name}`
        : `${calls.length} ${what}s of ${call}: ${listValues(calls.map(({ name }) => name))}`;
    }
  }
}

function listPlaces(
  symbols: readonly string[] = [],
  offsets: readonly bigint[] = [],
  addrs: readonly bigint[] = [],
): string {
  const hex = (place: bigint): string => `0x${place.toString(16)}`;
  return listValues([...symbols, ...offsets.map(hex), ...addrs.map(hex)]);
}

function attachWords({ data: policy }: Analysis, { kind, data }: Hook, kernel?: KernelInfo): string {
  if (kind === 'tracepoints') return data.raw === true ? 'raw tracepoint' : 'tracepoint';
  if (kind === 'lsmhooks') return 'BPF LSM';
  if (kind === 'uprobes' || kind === 'usdts') return kind === 'uprobes' ? 'uprobe' : 'USDT probe';
  const { call = '', syscall = true } = data;
  const list = findList(policy, listName(call) ?? '');
  const calls = callsOf(policy, call, syscall);
  const [only] = calls;
  if (kind === 'kprobes' && list !== undefined && (isGenerated(list) || calls.length > 1)) return LIST_WORDS;
  const how = functionWords(kind === 'fentries', data.return === true);
  if (kernel === undefined || only === undefined || calls.length > 1) return how;
  const names = only.syscall ? [...syscallFunctions(only.name), only.name] : [only.name];
  const found = names.find((name) => kernel.function(name) !== undefined);
  return found === undefined ? `${how}; ${kernel.name} has no ${only.name}` : `${how}; ${found} of ${kernel.name}`;
}

const LIST_WORDS = 'one program for all: kprobe.multi if the kernel has it, else a kprobe for each';

function functionWords(trampolineOnly: boolean, returns: boolean): string {
  if (trampolineOnly) return returns ? 'fentry and fexit' : 'fentry';
  return returns
    ? 'fentry and fexit if the kernel has them, else kprobe and kretprobe'
    : 'fentry if the kernel has it, else kprobe';
}

function readWords(args: readonly ArgData[], data: readonly ArgData[], returned: ArgData | undefined): string[] {
  return [
    ...args
      .filter((arg) => arg.type !== 'nop')
      .map((arg) => `${valueWords(arg)}${readingWords(arg.source === undefined ? arg : { ...arg, resolve: '' })}`),
    ...data.map((arg) => `${dataWords(arg)}${readingWords({ ...arg, resolve: '' })}`),
    ...(returned === undefined ? [] : [`return value (${typeWords(returned)})${readingWords(returned)}`]),
  ];
}

/** The words for an argument, which may also come from another source than a parameter. */
function valueWords(arg: ArgData | undefined): string {
  return arg?.source === undefined ? argWords(arg, 'an argument') : dataWords(arg);
}

/** The words for all values that a filter names. Expressions and comparisons of two sets name several. */
function subjectWords(hook: Hook, list: FilterList, filter: ValueFilter): string {
  const slots = filteredSlots(hook, list, filter);
  const words = slots.map((slot) =>
    list === 'matchData' ? dataWords(slot?.arg) : list === 'matchArgs' ? valueWords(slot?.arg) : returnWords(slot?.arg),
  );
  return words.join(', ');
}

function returnWords(arg: ArgData | undefined): string {
  return `return value (${arg === undefined ? '' : typeWords(arg)})`;
}

/** The order of the BPF programs: cheap tests come first. */
const ORDER = {
  scope: -1,
  number: 0,
  expression: 1,
  process: 2,
  binary: 3,
  change: 4,
  text: 5,
  path: 6,
  return: 7,
} as const;

interface Condition {
  readonly order: number;
  readonly words: string;
}

function explainSelector(hook: Hook, selector: SelectorData): SelectorExplanation {
  const conditions: Condition[] = [];
  const add = (order: number, words: string): void => void conditions.push({ order, words });
  const workloads = scopeOf(selector.matchWorkloads ?? {}, undefined, false);
  if (workloads !== undefined) add(ORDER.scope, scopeWords(workloads).join(', or '));
  for (const filter of selector.matchPIDs ?? [])
    add(filter.followForks === true ? ORDER.binary : ORDER.process, pidWords(filter));
  for (const filter of selector.matchBinaries ?? []) add(ORDER.binary, binaryWords('binary', filter));
  for (const filter of selector.matchParentBinaries ?? []) add(ORDER.binary, binaryWords("parent's binary", filter));
  for (const words of stateWords(selector)) add(ORDER.process, words);
  for (const words of changeWords(selector)) add(ORDER.change, words);
  for (const list of ['matchArgs', 'matchData', 'matchReturnArgs'] as const) {
    for (const filter of selector[list] ?? []) {
      add(orderOf(hook, list, filter), filterWords(subjectWords(hook, list, filter), filter));
    }
  }
  const actions = [
    ...(selector.matchActions ?? []).map(actionWords),
    ...(selector.matchReturnActions ?? []).map((action) => `on return: ${actionWords(action)}`),
  ];
  return {
    conditions: conditions.sort((a, b) => a.order - b.order).map(({ words }) => words),
    actions: actions.length > 0 ? actions : ['Post'],
  };
}

function orderOf(hook: Hook, list: FilterList, filter: ValueFilter): number {
  const slots = filteredSlots(hook, list, filter);
  const [slot] = slots;
  if (list === 'matchReturnArgs' || slots.some((each) => each !== undefined && isLateValue(each, hook.data)))
    return ORDER.return;
  if (filter.operator === 'CelExpr' || filter.operator === 'CapabilitiesGained') return ORDER.expression;
  const facts: TypeFacts | undefined = slot?.arg.type === undefined ? undefined : ARG_TYPES[slot.arg.type];
  if (facts?.class === 'path' || facts?.class === 'file') return ORDER.path;
  const isText = ['text', 'unixAddress', 'sock', 'skb', 'sockaddr'].includes(facts?.class ?? '');
  return isText ? ORDER.text : ORDER.number;
}
