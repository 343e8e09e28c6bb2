/** The names of everything that a policy can hook in a kernel, and which of them match a pattern. */
import type { AvailableHookKind } from '../../../types/hooks.js';
import type { KernelInfo } from '../../../types/kernel.js';

/** The kinds, the first choice for a name first. */
export const AVAILABLE_HOOK_KINDS = [
  'syscall',
  'lsm',
  'tracepoint',
  'raw_tracepoint',
  'function',
  'usdt',
  'uprobe',
] as const satisfies readonly AvailableHookKind[];

export interface HookName {
  readonly kind: AvailableHookKind;
  readonly name: string;
}

const LSM_PREFIX = 'bpf_lsm_';
/** The kernel's function for a system call; see asm/syscall_wrapper.h and suggestions.ts. */
const SYSCALL = /^__(?:x64|arm64|s390x|riscv|loongarch|powerpc)_(sys_\w+)$/;
/** Functions of other hooks: system calls by their other names, and the code of tracepoints. */
const INTERNAL =
  /^(__(do|se|ia32)_(compat_)?sys_|__(x64|arm64)_compat_|__ia32_compat_|__traceiter_|__probestub_|__bpf_trace_|perf_trace_|trace_(event_)?raw_)/;

/** Returns all names. An internal function is left out, unless it is `wanted`. */
export function listHookNames(kernel: KernelInfo, tracepoints: readonly TracepointName[], wanted: string): HookName[] {
  const functions = kernel.functionNames();
  const result: HookName[] = [];
  const add = (kind: AvailableHookKind, name: string): void => void result.push({ kind, name });
  for (const name of new Set(kernel.attachableNames() ?? functions)) {
    const [, call] = SYSCALL.exec(name) ?? [];
    if (call !== undefined && call !== 'sys_ni_syscall') add('syscall', call);
    if (name === wanted || (call === undefined && !name.startsWith(LSM_PREFIX) && !INTERNAL.test(name)))
      add('function', name);
  }
  for (const name of functions) if (name.startsWith(LSM_PREFIX)) add('lsm', name.slice(LSM_PREFIX.length));
  for (const { group, event } of tracepoints) add('tracepoint', `${group}/${event}`);
  for (const name of kernel.rawTracepointNames()) add('raw_tracepoint', name);
  return result;
}

export interface TracepointName {
  readonly group: string;
  readonly event: string;
}

/** Lists the tracepoints of tracefs. Those at the entries and exits of system calls are part of it. */
export function listTracepoints(kernel: KernelInfo): TracepointName[] {
  return kernel.tracepointNames().flatMap((group) => kernel.tracepointNames(group).map((event) => ({ group, event })));
}

/** Makes the test of a pattern: a part of the name, or with `*` and `?` the whole name. */
export function hookPattern(pattern: string): (name: string) => boolean {
  const lower = pattern.toLowerCase();
  if (!/[*?]/.test(pattern)) return (name) => name.toLowerCase().includes(lower);
  const escaped = lower
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.');
  const whole = new RegExp(`^${escaped}$`);
  return (name) => whole.test(name.toLowerCase());
}

/** Sorts by closeness to the pattern: the name itself, the pattern as a word of it, and other names; then by kind and name. */
export function sortHooks<T extends HookName>(hooks: readonly T[], pattern: string): T[] {
  const text = pattern.replace(/[*?]/g, '').toLowerCase();
  const word = new RegExp(`(^|[_/:])${text.replace(/[^\w/:]/g, '\\$&')}($|[_/:])`);
  const rank = ({ name, kind }: HookName): number => {
    const lower = name.toLowerCase();
    const closeness = lower === text || lower === `sys_${text}` ? 0 : word.test(lower) ? 1 : 2;
    return closeness * AVAILABLE_HOOK_KINDS.length + AVAILABLE_HOOK_KINDS.indexOf(kind);
  };
  return hooks
    .map((hook) => ({ hook, rank: rank(hook) }))
    .sort((a, b) => a.rank - b.rank || (a.hook.name < b.hook.name ? -1 : a.hook.name > b.hook.name ? 1 : 0))
    .map(({ hook }) => hook);
}
