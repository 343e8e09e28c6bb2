/** One program on several functions of the kernel: at once where the kernel can (kprobe.multi), else by a kprobe for each. */
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { NativeError } from '../native/binding.js';
import type { HookImage } from '../image/image.js';
import { isIa32 } from '../names/calls.js';
import { valuesOf } from '../wire/encode/context.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { isLate } from '../wire/reads.js';
import { checkPrototype, prototypeOf } from './prototype.js';
import { hookPlace, loadHook, placesOf, toKernelError, type AttachContext, type Attached } from './load.js';
import { isRegister } from './values.js';

/** `functions`: their names in the kernel. */
export function attachFunctions(
  hook: HookImage,
  functions: readonly string[],
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
): Attached {
  for (const name of functions) checkPrototype(hook, name, prototypeOf(name, kernel));
  const returns = valuesOf(hook).some(isLate) || hook.returnArg !== undefined;
  const mechanism = mechanismOf(hook, returns, context, kernel);
  if (mechanism === 'kprobe') checkLinks(hook, functions.length);
  const attachment = {
    mechanism,
    target: hook.call,
    places: functions.map((target) => ({ target })),
    optionalPlaces: hook.list !== undefined && ('generated' in hook.list || hook.ignoreCallNotFound === true),
    entry: true,
    return: returns,
  };
  const own = { params: 0, processBits, several: true, ia32: isIa32(functions[0] ?? '') };
  let leftOut: readonly number[];
  try {
    leftOut = loadHook(hook, id, attachment, own, placesOf(hook, undefined, context, kernel), context);
  } catch (error) {
    throw inWords(error as NativeError, hook, functions);
  }
  return {
    functionName: hook.call,
    functions: functions.filter((_, place) => !leftOut.includes(place)),
    skipped: leftOut.map((place) => functions[place] ?? ''),
    attach: returns ? RETURNS[mechanism] : mechanism,
  };
}

const RETURNS = { kprobe: 'kprobe+kretprobe', 'kprobe.multi': 'kprobe.multi+kretprobe.multi' } as const;

function mechanismOf(
  hook: HookImage,
  returns: boolean,
  { features }: AttachContext,
  kernel: KernelInfo,
): 'kprobe' | 'kprobe.multi' {
  if (features.kprobe !== '') {
    throw new KernelError(
      'NO_ATTACH_MECHANISM',
      `${hookPlace(hook)}: ${hook.call} cannot be attached: the kernel or the privileges do not allow kprobe (${features.kprobe})`,
      '`polytrace preflight` tells what is missing',
    );
  }
  const isPossible = features.kprobeMulti === '' && hook.singleLinks !== true;
  const needsRegisters = returns || valuesOf(hook).some(isRegister);
  return isPossible && (!needsRegisters || givesRegisters(kernel)) ? 'kprobe.multi' : 'kprobe';
}

/**
 * Whether kprobe.multi gives all registers, and at the return the stack pointer by which it is known to which entry it belongs. Since
 * Linux 6.14, where it no longer has return hooks of its own, it gives parameters and return values only.
 */
function givesRegisters(kernel: KernelInfo): boolean {
  return (
    kernel
      .struct('fprobe')
      ?.members()
      .some(({ name }) => name === 'rethook') === true
  );
}

export function checkLinks(hook: HookImage, count: number): void {
  if (count <= AbiLimit.HOOK_LINKS_MAX) return;
  throw new KernelError(
    'LIMIT_LINKS',
    `${hookPlace(hook)}: ${hook.call}: ${count} places that are attached one by one; a hook has at most ${AbiLimit.HOOK_LINKS_MAX}`,
    'use a shorter list; kernels with kprobe.multi (CONFIG_FPROBE) and uprobe.multi (6.6) attach more, all at once',
  );
}

/** An error that is about one function names it. ESRCH: kprobe.multi has not found one of them. */
function inWords(error: NativeError, hook: HookImage, functions: readonly string[]): KernelError {
  const { place, errno } = error;
  const what =
    place === undefined ? `a function of ${hook.call}` : `the function ${functions[place] ?? ''} of ${hook.call}`;
  if (errno === 'ESRCH') return toKernelError(Object.assign(error, { errno: 'ENOENT' }), hook, what);
  return toKernelError(error, hook, what);
}
