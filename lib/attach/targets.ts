/**
 * Finds the targets of a policy's hooks on this kernel, including the functions of lists. The functions of a list share
 * one program if the program can read the same values at all of them. Otherwise each function gets its own hook.
 */
import { formatHookPosition, isRegister, hasModifyingAction, hookValues } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { FunctionList, CompiledHook } from '../compiled/compiled-policy.js';
import { MOUNT_TRACEFS } from '../native/preflight.js';
import { expandFunctionList, suggestFunction } from '../policy/index.js';
import { isIa32Function, isNamedCall, syscallFunctionNames } from '../names/syscall-functions.js';
import { AbiLimit } from '../wire/layout.gen.js';
import type { AttachContext } from './request.js';

/** Maximum number of programs that one hook of a policy may need. */
const PROGRAMS_MAX = 64;

export interface Target {
  readonly hook: CompiledHook;
  /** The kernel names of several functions that share the program. */
  readonly functions?: readonly string[];
}

export interface Targets {
  readonly targets: readonly Target[];
  /** Missing functions: the policy allows that they are missing, or they are system calls that no process can make here. */
  readonly skipped: readonly string[];
}

export function findTargets(hook: CompiledHook, context: AttachContext, kernel: KernelInfo): Targets {
  const { list, ...single } = hook;
  if (list === undefined) return { targets: [{ hook }], skipped: [] };
  if ('generated' in list && list.generated === 'ftrace' && kernel.attachableNames() === undefined) {
    throw new KernelError(
      'LIST_NEEDS_TRACEFS',
      `${formatHookPosition(hook)}: ${hook.call}: the functions of this kernel are not known: available_filter_functions of tracefs does not exist, or cannot be read`,
      `mount tracefs: ${MOUNT_TRACEFS}; or list the functions under \`values\``,
    );
  }
  const found = listFunctions(hook, list, kernel).map((call) => ({
    call,
    name: kernelFunctionName(call, hook.syscall, kernel),
  }));
  const missing = found.filter(({ name }) => !isInKernel(name, kernel)).map(({ call }) => call);
  const wrong = hook.syscall ? missing.find((call) => !isNamedCall(call)) : missing[0];
  if (wrong !== undefined && hook.ignoreCallNotFound !== true)
    throw notFoundError(hook, wrong, suggestFunction(wrong, hook.syscall, kernel));
  const there = found.filter(({ call }) => !missing.includes(call));
  if (there.length === 0 && hook.ignoreCallNotFound !== true) throw notFoundError(hook, 'any function of the list');
  if (needsOwnPrograms(hook, context)) {
    if (there.length > PROGRAMS_MAX) throw programLimitError(hook, there.length, context);
    return { targets: there.map(({ call }) => ({ hook: { ...single, call } })), skipped: missing };
  }
  // system calls of 32-bit and 64-bit programs pass their parameters in different registers
  const groups = [there.filter(({ name }) => !isIa32Function(name)), there.filter(({ name }) => isIa32Function(name))];
  const targets = groups.flatMap((group): Target[] => {
    const [first] = group;
    if (first === undefined) return [];
    if (group.length === 1) return [{ hook: { ...single, call: first.call } }];
    if (group.length > AbiLimit.HOOK_ATTACH_POINTS_MAX) throw pointLimitError(hook, group.length);
    return [{ hook, functions: group.map(({ name }) => name) }];
  });
  return { targets, skipped: missing };
}

/**
 * Returns the functions of a list. For a hook at the return, it omits system calls that end the thread: they never return, so
 * the values from their entry would never be freed.
 */
function listFunctions(hook: CompiledHook, list: FunctionList, kernel: KernelInfo): readonly string[] {
  const all = expandFunctionList(list, kernel);
  const isLeftOut = 'generated' in list && list.generated === 'syscalls' && hook.returnArg !== undefined;
  return isLeftOut ? all.filter((name) => !/_sys_exit(_group)?$/.test(name)) : all;
}

/** Returns the kernel function of a system call. If there are several names, it is the first one that the kernel has. */
export function kernelFunctionName(call: string, syscall: boolean, kernel: KernelInfo): string {
  if (!syscall) return call;
  const names = syscallFunctionNames(call);
  return names.find((name) => isInKernel(name, kernel)) ?? names.at(-1) ?? call;
}

function isInKernel(name: string, kernel: KernelInfo): boolean {
  return kernel.attachable(name) ?? kernel.function(name) !== undefined;
}

/** True if each function needs its own program. A trampoline has one function, and members depend on the prototype. */
function needsOwnPrograms(hook: CompiledHook, { attach }: AttachContext): boolean {
  if (hook.kind === 'fentry' || attach === 'fentry' || hasModifyingAction(hook)) return true;
  return hookValues(hook).some((value) => Boolean(value.resolve) && value.source === undefined && !isRegister(value));
}

function notFoundError(hook: CompiledHook, what: string, similar?: string): KernelError {
  return new KernelError(
    'HOOK_NOT_FOUND',
    `${formatHookPosition(hook)}: ${hook.call}: this kernel does not have ${what}, or it cannot be probed`,
    similar ??
      'check the name, and whether the compiler inlined it; with `ignore: {callNotFound: true}` missing functions are skipped',
  );
}

function programLimitError(hook: CompiledHook, count: number, { attach }: AttachContext): KernelError {
  const why =
    hook.kind === 'fentry' || attach === 'fentry'
      ? 'trampolines'
      : hasModifyingAction(hook)
        ? 'Override'
        : '`resolve` from a parameter';
  return new KernelError(
    'LIMIT_PROGRAMS',
    `${formatHookPosition(hook)}: ${hook.call}: ${count} functions, and each needs a program of its own for ${why}; at most ${PROGRAMS_MAX} are allowed`,
    'use a shorter list, or several lists; kprobes without it share one program',
  );
}

function pointLimitError(hook: CompiledHook, count: number): KernelError {
  return new KernelError(
    'LIMIT_PLACES',
    `${formatHookPosition(hook)}: ${hook.call}: ${count} functions; at most ${AbiLimit.HOOK_ATTACH_POINTS_MAX} are allowed`,
    'use a narrower pattern',
  );
}
