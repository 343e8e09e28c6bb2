/** Describes the target of a hook, and the mechanism that attaches it. */
import type { KernelInfo } from '../../../types/kernel.js';
import { isReadAtReturn } from '../../compiled/compiled-hook.js';
import { formatHex } from '../../names/attach-points.js';
import { syscallFunctionNames } from '../../names/syscall-functions.js';
import type { Analysis } from '../analyse.js';
import { expandCall, findList, isGeneratedList, listName } from '../model/lists.js';
import type { Hook, HookData } from '../model/model.js';
import { formatValues } from './phrases.js';

/** Describes what the hook traces. */
export function describeTarget({ data: policy }: Analysis, { kind, data }: Hook, kernel?: KernelInfo): string {
  switch (kind) {
    case 'tracepoints':
      return `tracepoint ${data.subsystem}/${data.event}${data.raw === true ? ' (raw)' : ''}`;
    case 'lsmhooks':
      return `LSM hook ${data.hook}`;
    case 'uprobes':
      return `${formatAttachPoints(data.symbols, data.offsets, data.addrs)} in ${data.path}${data.resolvePathInContainer === true ? ' of each container' : ''}`;
    case 'usdts':
      return `probe ${data.provider}:${data.name} in ${data.path}`;
    case 'kprobes':
    case 'fentries': {
      const { call = '', syscall = true } = data;
      const list = findList(policy, listName(call) ?? '');
      if (list !== undefined && isGeneratedList(list)) {
        const found = kernel && `${expandCall(policy, call, syscall, kernel).length} of ${kernel.name}`;
        const which = list.pattern === undefined ? 'every system call' : `functions like ${list.pattern}`;
        return `${which} (${call}${found === undefined ? '' : `: ${found}`})`;
      }
      const calls = expandCall(policy, call, syscall);
      const [first] = calls;
      const what = first?.syscall === true ? 'system call' : 'function';
      return calls.length === 1
        ? `${what} ${first?.name}`
        : `${calls.length} ${what}s of ${call}: ${formatValues(calls.map(({ name }) => name))}`;
    }
  }
}

function formatAttachPoints(
  symbols: readonly string[] = [],
  offsets: readonly bigint[] = [],
  addrs: readonly bigint[] = [],
): string {
  return formatValues([...symbols, ...offsets.map(formatHex), ...addrs.map(formatHex)]);
}

/** Describes how the hook is attached. */
export function describeMechanism(analysis: Analysis, { kind, data }: Hook, kernel?: KernelInfo): string {
  switch (kind) {
    case 'kprobes':
    case 'fentries':
      return describeFunctionMechanism(analysis, kind, data, kernel);
    case 'tracepoints':
      return data.raw === true ? 'raw tracepoint' : 'tracepoint';
    case 'lsmhooks':
      return 'BPF LSM';
    case 'uprobes':
      return 'uprobe';
    case 'usdts':
      return 'USDT probe';
  }
}

function describeFunctionMechanism(
  { data: policy }: Analysis,
  kind: 'kprobes' | 'fentries',
  data: HookData,
  kernel?: KernelInfo,
): string {
  const { call = '', syscall = true } = data;
  const list = findList(policy, listName(call) ?? '');
  const calls = expandCall(policy, call, syscall);
  const [only] = calls;
  if (kind === 'kprobes' && list !== undefined && (isGeneratedList(list) || calls.length > 1)) return LIST_MECHANISM;
  const how = describeProbes(kind === 'fentries', hasReturnProbe(data));
  if (kernel === undefined || only === undefined || calls.length > 1) return how;
  const names = only.syscall ? [...syscallFunctionNames(only.name), only.name] : [only.name];
  const found = names.find((name) => kernel.function(name) !== undefined);
  return found === undefined ? `${how}; ${kernel.name} has no ${only.name}` : `${how}; ${found} of ${kernel.name}`;
}

/** True if something is read when the function returns. */
function hasReturnProbe({ return: returns, args = [], data = [] }: HookData): boolean {
  return returns === true || [...args, ...data].some(isReadAtReturn);
}

const LIST_MECHANISM = 'one program for all: kprobe.multi if the kernel has it, else a kprobe for each';

function describeProbes(trampolineOnly: boolean, returns: boolean): string {
  if (trampolineOnly) return returns ? 'fentry and fexit' : 'fentry';
  return returns
    ? 'fentry and fexit if the kernel has them, else kprobe and kretprobe'
    : 'fentry if the kernel has it, else kprobe';
}
