/**
 * Attaches one program to several places of a program or library: with one uprobe.multi link, or else a uprobe for
 * each.
 */
import { KernelError } from '../errors.js';
import { elfInTurns } from '../elf/elf.js';
import { fileOffset, type ElfInfo } from '../elf/elf-info.js';
import { hookPlace, seesReturn } from '../compiled/compiled-hook.js';
import type { CompiledHook, ProgramPlace } from '../compiled/compiled-policy.js';
import type { NativePlace } from '../native/binding.js';
import type { NativeError } from '../native/native-error.js';
import { placeInFile } from '../names/places.js';
import type { ProgramChanges } from '../wire/encode/context.js';
import { checkLinks } from './functions.js';
import { loadHook, placesOf, toKernelError } from './load.js';
import type { Attached, AttachRequest } from './request.js';
import { checkFeature } from './single.js';

const RETURNS = { uprobe: 'uprobe+uretprobe', 'uprobe.multi': 'uprobe.multi+uretprobe.multi' } as const;

/** `path` leads to exactly the file that was verified. The policy may name the file by another path. */
export async function attachPlaces(
  request: AttachRequest,
  path: string,
  programChanges: ProgramChanges | undefined,
): Promise<Attached | undefined> {
  const { hook, context } = request;
  const { places: wanted = [] } = hook;
  const mechanism = context.features.uprobeMulti.available && hook.singleLinks !== true ? 'uprobe.multi' : 'uprobe';
  checkFeature(request, 'attachCookie', `${path}:${hook.call}`);
  if (mechanism === 'uprobe') checkLinks(hook, wanted.length);
  const elf = (await elfInTurns(path)) ?? undefined;
  const found = wanted.map((place) => inFile(place, elf));
  const missing = wanted.filter((_, i) => found[i] === undefined);
  if (missing[0] !== undefined && hook.ignoreCallNotFound !== true) throw noPlace(hook, missing[0]);
  const there = wanted.filter((_, i) => found[i] !== undefined);
  if (there.length === 0) return undefined;
  const returns = seesReturn(hook);
  const places = found.filter((place) => place !== undefined);
  const attachment = { mechanism, target: hook.call, path, places, entry: true, return: returns } as const;
  try {
    const ofValues = placesOf(request, undefined);
    await loadHook(request, { attachment, params: 0, several: true, programChanges, places: ofValues });
  } catch (error) {
    throw inWords(error as NativeError, hook, path, there);
  }
  return {
    functionName: `${wanted[0]?.path ?? path}:${hook.call}`,
    functions: there.map(nameOf),
    places: there,
    skipped: missing.map(placeInFile),
    attach: returns ? RETURNS[mechanism] : mechanism,
  };
}

/** Names the place that the error is about. */
function inWords(error: NativeError, hook: CompiledHook, path: string, there: readonly ProgramPlace[]): KernelError {
  const which = error.place === undefined ? undefined : there[error.place];
  return toKernelError(error, hook, which === undefined ? `${path}: ${hook.call}` : nameOf(which));
}

function nameOf(place: ProgramPlace): string {
  return `${place.path}:${placeInFile(place)}`;
}

/** The place as an offset in the file; undefined if the file does not contain the symbol or the address. */
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

function noPlace(hook: CompiledHook, place: ProgramPlace): KernelError {
  return new KernelError(
    'HOOK_NOT_FOUND',
    `${hookPlace(hook)}: ${nameOf(place)} does not exist, or cannot be hooked`,
    'check the path and the symbol: nm and nm -D list the symbols of a file; a stripped program needs offsets',
  );
}
