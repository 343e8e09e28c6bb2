/** A policy explained: what each hook reads, how its selectors are evaluated and in which order, what is done, what it costs. */
import { filteredArg, filteredData } from '../arguments.js';
import type { HookImage, PolicyImage } from '../image.js';
import type { KernelInfo } from '../kernel-info.js';
import { callsOf } from '../lists.js';
import type { ArgData, Hook, SelectorData } from '../model.js';
import type { Analysis } from '../policy.js';
import { ARG_TYPES, type TypeFacts } from '../vocabulary.js';
import type { HookExplanation, PolicyExplanation, SelectorExplanation } from '../../../types/policy.js';
import { costOf } from './cost.js';
import { actionWords, argWords, binaryWords, filterWords, listValues, otherWords } from './words.js';

export function explain(
  analysis: Analysis,
  image: PolicyImage | undefined,
  unsupported: readonly string[],
  kernel?: KernelInfo,
): PolicyExplanation {
  const { data, hooks } = analysis;
  const images = [...(image?.hooks ?? [])];
  const explained = hooks.map((hook) => {
    // A list of functions has become a hook for each; they are alike.
    const calls = hook.data.call === undefined ? 1 : callsOf(data, hook.data.call, hook.data.syscall ?? true).length;
    const own = images.splice(0, image === undefined ? 0 : calls);
    return explainHook(analysis, hook, own[0], kernel);
  });
  return {
    name: data.metadata?.name ?? '',
    ...(data.kind === 'TracingPolicyNamespaced' ? { namespace: data.metadata?.namespace ?? 'default' } : {}),
    file: analysis.file,
    unsupported,
    hooks: explained,
    tableBytes: (image?.hooks ?? []).reduce((sum, hook) => sum + costOf(hook).tableBytes, 0),
    ...(image === undefined ? {} : { image }),
  };
}

function explainHook(
  analysis: Analysis,
  hook: Hook,
  image: HookImage | undefined,
  kernel?: KernelInfo,
): HookExplanation {
  const { data } = hook;
  const selectors: readonly SelectorData[] = hook.selectors.length > 0 ? hook.selectors : [{}];
  return {
    kind: hook.kind,
    target: targetWords(analysis, hook),
    attach: attachWords(analysis, hook, kernel),
    ...(data.message === undefined ? {} : { message: data.message }),
    reads: readWords(data.args ?? [], data.data ?? [], data.return === true ? data.returnArg : undefined),
    selectors: selectors.map((selector) => explainSelector(hook, selector)),
    ...(image === undefined ? {} : { cost: costOf(image) }),
  };
}

function targetWords({ data: policy }: Analysis, { kind, data }: Hook): string {
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
      const calls = callsOf(policy, data.call ?? '', data.syscall ?? true);
      const [first] = calls;
      const what = first?.syscall === true ? 'system call' : 'function';
      return calls.length === 1
        ? `${what} ${first?.name}`
        : `${what}s of ${data.call}: ${listValues(calls.map(({ name }) => name))}`;
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
  const how = functionWords(kind === 'fentries', data.return === true);
  const calls = callsOf(policy, data.call ?? '', data.syscall ?? true);
  const [call] = calls;
  if (kernel === undefined || call === undefined || calls.length > 1) return how;
  const names = call.syscall ? [`__x64_${call.name}`, `__arm64_${call.name}`, call.name] : [call.name];
  const found = names.find((name) => kernel.function(name) !== undefined);
  return found === undefined ? `${how}; ${kernel.name} has no ${call.name}` : `${how}; ${found} of ${kernel.name}`;
}

function functionWords(trampolineOnly: boolean, returns: boolean): string {
  if (trampolineOnly) return returns ? 'fentry and fexit' : 'fentry';
  return returns
    ? 'fentry and fexit where the kernel has them, else kprobe and kretprobe'
    : 'fentry where the kernel has it, else kprobe';
}

function readWords(args: readonly ArgData[], data: readonly ArgData[], returned: ArgData | undefined): string[] {
  const member = (arg: ArgData): string => (arg.resolve ? `, its ${arg.resolve}` : '');
  return [
    ...args.filter((arg) => arg.type !== 'nop').map((arg) => `${argWords(arg, '')}${member(arg)}`),
    ...data.map((arg) => `${arg.source ?? 'data'} ${arg.resolve ?? ''} (${arg.type ?? ''})`),
    ...(returned === undefined ? [] : [`return value (${returned.type})`]),
  ];
}

/** Cheap first, as the kernel side does it. */
const ORDER = { pid: 0, number: 1, binary: 2, process: 3, text: 4, path: 5, return: 6 } as const;

interface Condition {
  readonly order: number;
  readonly words: string;
}

function explainSelector(hook: Hook, selector: SelectorData): SelectorExplanation {
  const { args = [], data = [], returnArg } = hook.data;
  const conditions: Condition[] = [];
  const add = (order: number, words: string): void => void conditions.push({ order, words });
  for (const { operator = 'In', values = [], followForks } of selector.matchPIDs ?? []) {
    const words = `process id is ${listValues(values)}${followForks === true ? ', or that of an ancestor' : ''}`;
    add(ORDER.pid, operator === 'NotIn' ? `not (${words})` : words);
  }
  for (const filter of selector.matchBinaries ?? []) add(ORDER.binary, binaryWords('binary', filter));
  for (const filter of selector.matchParentBinaries ?? []) add(ORDER.binary, binaryWords("parent's binary", filter));
  for (const words of otherWords(selector)) add(ORDER.process, words);
  for (const filter of selector.matchArgs ?? []) {
    const arg = filteredArg(hook, args, filter)?.arg;
    add(orderOf(arg), filterWords(argWords(arg, 'an argument'), filter));
  }
  for (const filter of selector.matchData ?? []) {
    const arg = filteredData(data, filter)?.arg;
    add(orderOf(arg), filterWords(`${arg?.source ?? 'data'} ${arg?.resolve ?? ''}`.trim(), filter));
  }
  for (const filter of selector.matchReturnArgs ?? [])
    add(ORDER.return, filterWords(`return value (${returnArg?.type ?? ''})`, filter));
  const actions = [
    ...(selector.matchActions ?? []).map(actionWords),
    ...(selector.matchReturnActions ?? []).map((action) => `on return: ${actionWords(action)}`),
  ];
  return {
    conditions: conditions.sort((a, b) => a.order - b.order).map(({ words }) => words),
    actions: actions.length > 0 ? actions : ['Post'],
  };
}

function orderOf(arg: ArgData | undefined): number {
  const facts: TypeFacts | undefined = arg?.type === undefined ? undefined : ARG_TYPES[arg.type];
  if (facts?.class === 'path' || facts?.class === 'file') return ORDER.path;
  return facts?.class === 'text' ? ORDER.text : ORDER.number;
}
