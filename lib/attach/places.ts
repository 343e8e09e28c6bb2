/** One program on several places of a program or library: at once where the kernel can (uprobe.multi), else by a uprobe for each. */
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { NativeError, NativePlace } from '../native/binding.js';
import { placeName } from '../policy/compile/targets.js';
import type { HookImage, ProgramPlace } from '../image/image.js';
import { fileOffset, type ElfInfo } from '../elf/elf-info.js';
import { hostFiles } from '../elf/elf.js';
import { valuesOf, type ProgramChanges } from '../wire/encode/context.js';
import { isLate } from '../wire/reads.js';
import { checkLinks } from './functions.js';
import { hookPlace, loadHook, placesOf, toKernelError, type AttachContext, type Attached } from './load.js';

const RETURNS = { uprobe: 'uprobe+uretprobe', 'uprobe.multi': 'uprobe.multi+uretprobe.multi' } as const;

/** `path`: by which the very file is found that was looked at, which the policy may call otherwise. */
export function attachPlaces(
  hook: HookImage,
  path: string,
  id: number,
  processBits: readonly number[],
  context: AttachContext,
  kernel: KernelInfo,
  programChanges: ProgramChanges | undefined,
): Attached | undefined {
  const { places: wanted = [] } = hook;
  const mechanism = context.features.uprobeMulti === '' && hook.singleLinks !== true ? 'uprobe.multi' : 'uprobe';
  if (mechanism === 'uprobe') checkLinks(hook, wanted.length);
  const elf = hostFiles.elf(path) ?? undefined;
  const found = wanted.map((place) => inFile(place, elf));
  const missing = wanted.filter((_, i) => found[i] === undefined);
  if (missing[0] !== undefined && hook.ignoreCallNotFound !== true) throw noPlace(hook, missing[0]);
  const there = wanted.filter((_, i) => found[i] !== undefined);
  if (there.length === 0) return undefined;
  const returns = valuesOf(hook).some(isLate) || hook.returnArg !== undefined;
  const attachment = {
    mechanism,
    target: hook.call,
    path,
    places: found.filter((place) => place !== undefined),
    entry: true,
    return: returns,
  } as const;
  const own = { params: 0, processBits, several: true, programChanges };
  try {
    loadHook(hook, id, attachment, own, placesOf(hook, undefined, context, kernel), context);
  } catch (error) {
    const { place } = error as NativeError;
    const which = place === undefined ? undefined : there[place];
    throw toKernelError(error as NativeError, hook, which === undefined ? `${path}: ${hook.call}` : nameOf(which));
  }
  return {
    functionName: `${wanted[0]?.path ?? path}:${hook.call}`,
    functions: there.map(nameOf),
    places: there,
    skipped: missing.map(placeName),
    attach: returns ? RETURNS[mechanism] : mechanism,
  };
}

function nameOf(place: ProgramPlace): string {
  return `${place.path}:${placeName(place)}`;
}

/** By its bytes from the start of the file; undefined where the file has nothing of the name, or at the address. */
function inFile(place: ProgramPlace, elf: ElfInfo | undefined): NativePlace | undefined {
  const offset = offsetOf(place, elf);
  if (offset === undefined) return undefined;
  return { target: '', offset, ...(place.refCtrOffset === undefined ? {} : { counter: place.refCtrOffset }) };
}

function offsetOf(
  { symbol, symbolOffset = 0n, fileOffset: offset, address }: ProgramPlace,
  elf?: ElfInfo,
): bigint | undefined {
  if (symbol === undefined && address === undefined) return offset;
  const at = symbol === undefined ? address : elf?.symbols.get(symbol);
  return elf === undefined || at === undefined || at === null ? undefined : fileOffset(elf, at + symbolOffset);
}

function noPlace(hook: HookImage, place: ProgramPlace): KernelError {
  return new KernelError(
    'HOOK_NOT_FOUND',
    `${hookPlace(hook)}: ${nameOf(place)} is not there, or cannot be hooked`,
    'check the path and the symbol: nm, and nm -D, show those of the file; a stripped program needs offsets',
  );
}
