/** Attaches one program to several functions of the kernel: with one kprobe.multi link, or else a kprobe for each. */
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { hookPlace, isRegister, seesReturn, valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { isIa32 } from '../names/calls.js';
import type { NativeError } from '../native/native-error.js';
import { missingReason } from '../native/preflight.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { loadHook, placesOf, toKernelError } from './load.js';
import { notAvailable } from './mechanisms.js';
import { checkPrototype, prototypeOf } from './prototype.js';
import type { Attached, AttachRequest } from './request.js';
import { checkFeature } from './single.js';

/** `functions` contains their names in the kernel. */
export async function attachFunctions(request: AttachRequest, functions: readonly string[]): Promise<Attached> {
  const { hook, kernel } = request;
  for (const name of functions) checkPrototype(hook, name, prototypeOf(name, kernel));
  const returns = seesReturn(hook);
  const mechanism = mechanismOf(request, returns);
  checkFeature(request, 'attachCookie', hook.call);
  if (mechanism === 'kprobe') checkLinks(hook, functions.length);
  const leftOut = await load(request, functions, { mechanism, return: returns });
  return {
    functionName: hook.call,
    functions: functions.filter((_, place) => !leftOut.includes(place)),
    skipped: leftOut.map((place) => functions[place] ?? ''),
    attach: returns ? RETURNS[mechanism] : mechanism,
  };
}

/** Returns the indexes of the functions that were skipped. */
async function load(
  request: AttachRequest,
  functions: readonly string[],
  way: { readonly mechanism: 'kprobe' | 'kprobe.multi'; readonly return: boolean },
): Promise<readonly number[]> {
  const { hook } = request;
  const isOptional = hook.list !== undefined && ('generated' in hook.list || hook.ignoreCallNotFound === true);
  try {
    return await loadHook(request, {
      attachment: {
        ...way,
        target: hook.call,
        places: functions.map((target) => ({ target })),
        optionalPlaces: isOptional,
        entry: true,
      },
      params: 0,
      several: true,
      ia32: isIa32(functions[0] ?? ''),
      places: placesOf(request, undefined),
    });
  } catch (error) {
    throw inWords(error as NativeError, hook, functions);
  }
}

const RETURNS = { kprobe: 'kprobe+kretprobe', 'kprobe.multi': 'kprobe.multi+kretprobe.multi' } as const;

function mechanismOf({ hook, context, kernel }: AttachRequest, returns: boolean): 'kprobe' | 'kprobe.multi' {
  const { features } = context;
  if (!features.kprobe.available) {
    throw notAvailable(hook, hook.call, `kprobe (${missingReason('kprobe', features)})`);
  }
  const isPossible = features.kprobeMulti.available && hook.singleLinks !== true;
  const needsRegisters = returns || valuesOf(hook).some(isRegister);
  return isPossible && (!needsRegisters || givesRegisters(kernel)) ? 'kprobe.multi' : 'kprobe';
}

/**
 * True if programs on kprobe.multi can read all registers. The stack pointer at the return shows to which entry a
 * return belongs. Since Linux 6.14 kprobe.multi has no rethook, and gives only parameters and return values.
 */
function givesRegisters(kernel: KernelInfo): boolean {
  return (
    kernel
      .struct('fprobe')
      ?.members()
      .some(({ name }) => name === 'rethook') === true
  );
}

export function checkLinks(hook: CompiledHook, count: number): void {
  if (count <= AbiLimit.HOOK_LINKS_MAX) return;
  throw new KernelError(
    'LIMIT_LINKS',
    `${hookPlace(hook)}: ${hook.call}: ${count} places must be attached one by one; at most ${AbiLimit.HOOK_LINKS_MAX} are allowed`,
    'use a shorter list; kernels with kprobe.multi (CONFIG_FPROBE) or uprobe.multi (6.6) can attach more at once',
  );
}

/** Names the function that the error is about. ESRCH means that kprobe.multi did not find one of the functions. */
function inWords(error: NativeError, hook: CompiledHook, functions: readonly string[]): KernelError {
  const { place, errno } = error;
  const what =
    place === undefined ? `a function of ${hook.call}` : `the function ${functions[place] ?? ''} of ${hook.call}`;
  if (errno === 'ESRCH') return toKernelError(Object.assign(error, { errno: 'ENOENT' }), hook, what);
  return toKernelError(error, hook, what);
}
