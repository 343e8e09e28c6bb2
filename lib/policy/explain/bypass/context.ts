/** The search for ways around a policy: the data of one hook, and the type of a result. */
import type { BypassCode } from '../../../../types/bypass.js';
import type { KernelInfo } from '../../../../types/kernel.js';
import { expandCall } from '../../model/lists.js';
import type { Hook, PolicyData, SelectorData } from '../../model/model.js';

export interface HookContext {
  readonly policy: PolicyData;
  readonly hook: Hook;
  /** The selectors of the hook. A hook without selectors has one that always matches. */
  readonly selectors: readonly SelectorData[];
  /** Names of the functions and tracepoints of this hook. */
  readonly functions: readonly string[];
  /** Names of the functions and tracepoints of all hooks of the policy. */
  readonly hooked: ReadonlySet<string>;
  readonly kernel?: KernelInfo | undefined;
}

export interface Finding {
  readonly code: BypassCode;
  /** The selector; absent for a way around the hook, and so around all its selectors. */
  readonly selector?: number;
  /** True if the filter exempts processes, and the way leads into the exemption. */
  readonly exempts?: boolean;
  readonly way: string;
  readonly remedy: string;
  /** False if the kernel may not have the way. */
  readonly certain?: boolean;
  /** The filter in the policy; absent: the target of the hook. */
  readonly at?: object;
}

const NATIVE_SYSCALL = /^(?:x64\/|arm64\/|__x64_|__arm64_)?sys_(\w+)$/;
const SYSCALL_TRACEPOINT = /^syscalls\/sys_(?:enter|exit)_(\w+)$/;

/** The names of a hook's functions and tracepoints, in one notation: `sys_NAME` for system calls of this machine. */
export function hookFunctions(policy: PolicyData, { kind, data }: Hook, kernel?: KernelInfo): string[] {
  switch (kind) {
    case 'kprobes':
    case 'fentries':
      return expandCall(policy, data.call ?? '', data.syscall ?? true, kernel).map(({ name, syscall }) =>
        syscall ? name.replace(NATIVE_SYSCALL, 'sys_$1').replace(/^__ia32_(compat_)?/, 'i386/') : name,
      );
    case 'lsmhooks':
      return [`security_${data.hook}`];
    case 'tracepoints':
      return [`${data.subsystem}/${data.event}`];
    case 'uprobes':
    case 'usdts':
      return [];
  }
}

/** Returns the name of a system call of this machine without `sys_`, if the function or tracepoint is about one. */
export function nativeSyscall(name: string): string | undefined {
  return (/^sys_(\w+)$/.exec(name) ?? SYSCALL_TRACEPOINT.exec(name))?.[1];
}

export const isSyscallTracepoint = (name: string): boolean => SYSCALL_TRACEPOINT.test(name);

/** True if the values of the hook are parameters of a system call, as the program passed them. */
export function hasSyscallValues({ functions }: HookContext): boolean {
  return functions.some((name) => nativeSyscall(name) !== undefined || name.startsWith('i386/'));
}

export function isHooked({ hooked }: HookContext, ...names: readonly string[]): boolean {
  return names.some((name) => hooked.has(name));
}

/** True if the kernel has one of the functions; undefined without a kernel. */
export function hasFunction({ kernel }: HookContext, ...names: readonly string[]): boolean | undefined {
  return kernel && names.some((name) => kernel.function(name) !== undefined || kernel.attachable(name) === true);
}

/** Joins names for a sentence, and limits their number. */
export function listNames(names: readonly string[], max = 4): string {
  const more = names.length - max;
  return names.slice(0, max).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
