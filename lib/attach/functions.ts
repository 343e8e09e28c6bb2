/** Attaches one program to several functions of the kernel: with one kprobe.multi link, or else a kprobe for each. */
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { formatHookPosition, isRegister, hasReturnProgram, hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { isIa32Function } from '../names/syscall-functions.js';
import type { NativeError } from '../native/native-error.js';
import { missingReason } from '../native/preflight.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { loadHook, locateValues, toKernelError } from './load.js';
import { notAvailableError } from './mechanisms.js';
import { checkPrototype, findPrototype } from './prototype.js';
import type { AttachResult, AttachRequest } from './request.js';
import { checkFeature } from './single.js';

/** `functions` contains the names of the functions in the kernel. */
export async function attachFunctions(request: AttachRequest, functions: readonly string[]): Promise<AttachResult> {
  const { hook, kernel } = request;
  for (const name of functions) checkPrototype(hook, name, findPrototype(name, kernel));
  const returns = hasReturnProgram(hook);
  const mechanism = chooseMechanism(request, returns);
  checkFeature(request, 'attachCookie', hook.call);
  if (mechanism === 'kprobe') checkLinkCount(hook, functions.length);
  const missing = await loadFunctions(request, functions, { mechanism, return: returns });
  return {
    functionName: hook.call,
    functions: functions.filter((_, index) => !missing.includes(index)),
    skipped: missing.map((index) => functions[index] ?? ''),
    attach: returns ? WITH_RETURN[mechanism] : mechanism,
  };
}

/** Returns the indexes of the functions that were skipped. */
async function loadFunctions(
  request: AttachRequest,
  functions: readonly string[],
  attachment: { readonly mechanism: 'kprobe' | 'kprobe.multi'; readonly return: boolean },
): Promise<readonly number[]> {
  const { hook } = request;
  const isOptional = hook.list !== undefined && ('generated' in hook.list || hook.ignoreCallNotFound === true);
  try {
    return await loadHook(request, {
      attachment: {
        ...attachment,
        target: hook.call,
        attachPoints: functions.map((target) => ({ target })),
        optionalAttachPoints: isOptional,
        entry: true,
      },
      params: 0,
      multiplePoints: true,
      ia32: isIa32Function(functions[0] ?? ''),
      valueLocations: await locateValues(request, undefined),
    });
  } catch (error) {
    throw toFunctionError(error as NativeError, hook, functions);
  }
}

const WITH_RETURN = { kprobe: 'kprobe+kretprobe', 'kprobe.multi': 'kprobe.multi+kretprobe.multi' } as const;

function chooseMechanism({ hook, context, kernel }: AttachRequest, returns: boolean): 'kprobe' | 'kprobe.multi' {
  const { features } = context;
  if (!features.kprobe.available) {
    throw notAvailableError(hook, hook.call, `kprobe (${missingReason('kprobe', features)})`);
  }
  const isPossible = features.kprobeMulti.available && hook.singleLinks !== true;
  const needsRegisters = returns || hookValues(hook).some(isRegister);
  return isPossible && (!needsRegisters || hasRegisters(kernel)) ? 'kprobe.multi' : 'kprobe';
}

/**
 * True if programs on kprobe.multi can read all registers. They need the stack pointer at the return to find the entry of
 * the call. Since Linux 6.14 kprobe.multi has no rethook, and provides only parameters and return values.
 */
function hasRegisters(kernel: KernelInfo): boolean {
  return (
    kernel
      .struct('fprobe')
      ?.members()
      .some(({ name }) => name === 'rethook') === true
  );
}

export function checkLinkCount(hook: CompiledHook, count: number): void {
  if (count <= AbiLimit.HOOK_LINKS_MAX) return;
  throw new KernelError(
    'LIMIT_LINKS',
    `${formatHookPosition(hook)}: ${hook.call}: ${count} places must be attached one by one; at most ${AbiLimit.HOOK_LINKS_MAX} are allowed`,
    'use a shorter list; kernels with kprobe.multi (CONFIG_FPROBE) or uprobe.multi (6.6) can attach more at once',
  );
}

/** Names the function that caused the error. ESRCH means that kprobe.multi did not find one of the functions. */
function toFunctionError(error: NativeError, hook: CompiledHook, functions: readonly string[]): KernelError {
  const { attachPoint, errno } = error;
  const what =
    attachPoint === undefined
      ? `a function of ${hook.call}`
      : `the function ${functions[attachPoint] ?? ''} of ${hook.call}`;
  if (errno === 'ESRCH') return toKernelError(Object.assign(error, { errno: 'ENOENT' }), hook, what);
  return toKernelError(error, hook, what);
}
