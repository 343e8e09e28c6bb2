/**
 * Finds the targets of a policy's hooks on this kernel, including the functions of lists. The functions of a list share
 * one program if the program can read the same values at all of them. Otherwise each function becomes a hook of its
 * own.
 */
import { hookPlace, isRegister, overrides, valuesOf } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { FunctionList, CompiledHook } from '../compiled/compiled-policy.js';
import { MOUNT_TRACEFS } from '../native/preflight.js';
import { functionsOf, similarFunction } from '../policy/index.js';
import { isIa32, syscallFunctions } from '../names/calls.js';
import { AbiLimit } from '../wire/layout.gen.js';
import type { AttachContext } from './request.js';

/** Most programs that one hook of a policy may need. */
const PROGRAMS_MAX = 64;

export interface Target {
  readonly image: CompiledHook;
  /** The kernel names of several functions that share the program. */
  readonly functions?: readonly string[];
}

export interface Targets {
  readonly targets: readonly Target[];
  /** Functions that are missing, which the policy allows. */
  readonly skipped: readonly string[];
}

export function targetsOf(hook: CompiledHook, context: AttachContext, kernel: KernelInfo): Targets {
  const { list, ...single } = hook;
  if (list === undefined) return { targets: [{ image: hook }], skipped: [] };
  if ('generated' in list && list.generated === 'ftrace' && kernel.attachableNames() === undefined) {
    throw new KernelError(
      'LIST_NEEDS_TRACEFS',
      `${hookPlace(hook)}: ${hook.call}: the functions of this kernel are not known: available_filter_functions of tracefs does not exist, or cannot be read`,
      `mount tracefs: ${MOUNT_TRACEFS}; or list the functions under \`values\``,
    );
  }
  const found = named(hook, list, kernel).map((call) => ({ call, name: kernelName(call, hook.syscall, kernel) }));
  const missing = found.filter(({ name }) => !isThere(name, kernel)).map(({ call }) => call);
  if (missing[0] !== undefined && hook.ignoreCallNotFound !== true)
    throw notFound(hook, missing[0], similarFunction(missing[0], hook.syscall, kernel));
  const there = found.filter(({ call }) => !missing.includes(call));
  if (there.length === 0 && hook.ignoreCallNotFound !== true) throw notFound(hook, 'any function of the list');
  if (needsOwnPrograms(hook, context)) {
    if (there.length > PROGRAMS_MAX) throw tooMany(hook, there.length, context);
    return { targets: there.map(({ call }) => ({ image: { ...single, call } })), skipped: missing };
  }
  // The two kinds of system calls pass their parameters in different registers.
  const groups = [there.filter(({ name }) => !isIa32(name)), there.filter(({ name }) => isIa32(name))];
  const targets = groups.flatMap((group): Target[] => {
    const [first] = group;
    if (first === undefined) return [];
    if (group.length === 1) return [{ image: { ...single, call: first.call } }];
    if (group.length > AbiLimit.HOOK_PLACES_MAX) throw tooManyPlaces(hook, group.length);
    return [{ image: hook, functions: group.map(({ name }) => name) }];
  });
  return { targets, skipped: missing };
}

/** Omits calls that end the thread, because they never return: the values from their entry would never be freed. */
function named(hook: CompiledHook, list: FunctionList, kernel: KernelInfo): readonly string[] {
  const all = functionsOf(list, kernel);
  const isLeftOut = 'generated' in list && list.generated === 'syscalls' && hook.returnArg !== undefined;
  return isLeftOut ? all.filter((name) => !/_sys_exit(_group)?$/.test(name)) : all;
}

/** The kernel function of a system call. If the name can mean several, the first that the kernel has. */
export function kernelName(call: string, syscall: boolean, kernel: KernelInfo): string {
  if (!syscall) return call;
  const names = syscallFunctions(call);
  return names.find((name) => isThere(name, kernel)) ?? names.at(-1) ?? call;
}

function isThere(name: string, kernel: KernelInfo): boolean {
  return kernel.attachable(name) ?? kernel.function(name) !== undefined;
}

/** True if each function needs its own program: a trampoline has one function, and members depend on the prototype. */
function needsOwnPrograms(hook: CompiledHook, { attach }: AttachContext): boolean {
  if (hook.kind === 'fentry' || attach === 'fentry' || overrides(hook)) return true;
  return valuesOf(hook).some((value) => Boolean(value.resolve) && value.source === undefined && !isRegister(value));
}

function notFound(hook: CompiledHook, what: string, similar?: string): KernelError {
  return new KernelError(
    'HOOK_NOT_FOUND',
    `${hookPlace(hook)}: ${hook.call}: this kernel does not have ${what}, or it cannot be probed`,
    similar ??
      'check the name, and whether the compiler inlined it; with `ignore: {callNotFound: true}` missing functions are skipped',
  );
}

function tooMany(hook: CompiledHook, count: number, { attach }: AttachContext): KernelError {
  const why =
    hook.kind === 'fentry' || attach === 'fentry'
      ? 'trampolines'
      : overrides(hook)
        ? 'Override'
        : '`resolve` from a parameter';
  return new KernelError(
    'LIMIT_PROGRAMS',
    `${hookPlace(hook)}: ${hook.call}: ${count} functions, and each needs a program of its own for ${why}; at most ${PROGRAMS_MAX} are allowed`,
    'use a shorter list, or several lists; kprobes without it share one program',
  );
}

function tooManyPlaces(hook: CompiledHook, count: number): KernelError {
  return new KernelError(
    'LIMIT_PLACES',
    `${hookPlace(hook)}: ${hook.call}: ${count} functions; at most ${AbiLimit.HOOK_PLACES_MAX} are allowed`,
    'use a narrower pattern',
  );
}
