/**
 * Attaches one BPF program to several attach points of a program or library: with one uprobe.multi link, or else with a
 * uprobe for each.
 */
import { KernelError } from '../errors.js';
import { readElfFile } from '../elf-files/host-files.js';
import { fileOffset, type ElfInfo } from '../elf/elf-info.js';
import { formatHookPosition, hasReturnProgram } from '../compiled/compiled-hook.js';
import type { CompiledHook, UprobeAttachPoint } from '../compiled/compiled-policy.js';
import type { NativeAttachPoint } from '../native/binding.js';
import type { NativeError } from '../native/native-error.js';
import { formatAttachPoint } from '../names/attach-points.js';
import type { ProgramChanges } from '../wire/encode/context.js';
import { checkLinkCount } from './functions.js';
import { loadHook, locateValues, toKernelError } from './load.js';
import type { AttachResult, AttachRequest } from './request.js';
import { checkFeature } from './single.js';

const WITH_RETURN = { uprobe: 'uprobe+uretprobe', 'uprobe.multi': 'uprobe.multi+uretprobe.multi' } as const;

/** `path` leads to exactly the file that was verified. The policy may name the file by another path. */
export async function attachUprobes(
  request: AttachRequest,
  path: string,
  programChanges: ProgramChanges | undefined,
): Promise<AttachResult | undefined> {
  const { hook, context } = request;
  const { places: points = [] } = hook;
  const mechanism = context.features.uprobeMulti.available && hook.singleLinks !== true ? 'uprobe.multi' : 'uprobe';
  checkFeature(request, 'attachCookie', `${path}:${hook.call}`);
  if (mechanism === 'uprobe') checkLinkCount(hook, points.length);
  const elf =
    (await readElfFile(
      path,
      points.flatMap(({ symbol }) => symbol ?? []),
    )) ?? undefined;
  const found = points.map((point) => resolvePoint(point, elf));
  const missing = points.filter((_, i) => found[i] === undefined);
  if (missing[0] !== undefined && hook.ignoreCallNotFound !== true) throw pointError(hook, missing[0]);
  const existing = points.filter((_, i) => found[i] !== undefined);
  if (existing.length === 0) return undefined;
  const returns = hasReturnProgram(hook);
  const attachPoints = found.filter((point) => point !== undefined);
  const attachment = { mechanism, target: hook.call, path, attachPoints, entry: true, return: returns } as const;
  try {
    const valueLocations = await locateValues(request, undefined);
    await loadHook(request, { attachment, params: 0, multiplePoints: true, programChanges, valueLocations });
  } catch (error) {
    throw toPointError(error as NativeError, hook, path, existing);
  }
  return {
    functionName: `${points[0]?.path ?? path}:${hook.call}`,
    functions: existing.map(pointName),
    attachPoints: existing,
    skipped: missing.map(formatAttachPoint),
    attach: returns ? WITH_RETURN[mechanism] : mechanism,
  };
}

/** Names the attach point that caused the error. */
function toPointError(
  error: NativeError,
  hook: CompiledHook,
  path: string,
  existing: readonly UprobeAttachPoint[],
): KernelError {
  const failed = error.attachPoint === undefined ? undefined : existing[error.attachPoint];
  return toKernelError(error, hook, failed === undefined ? `${path}: ${hook.call}` : pointName(failed));
}

function pointName(point: UprobeAttachPoint): string {
  return `${point.path}:${formatAttachPoint(point)}`;
}

/** Returns the attach point as an offset in the file; undefined if the file does not contain the symbol or the address. */
function resolvePoint(point: UprobeAttachPoint, elf: ElfInfo | undefined): NativeAttachPoint | undefined {
  const offset = resolveOffset(point, elf);
  if (offset === undefined) return undefined;
  return { target: '', offset, ...(point.refCtrOffset === undefined ? {} : { counter: point.refCtrOffset }) };
}

function resolveOffset(
  { symbol, symbolOffset = 0n, fileOffset: offset, address }: UprobeAttachPoint,
  elf?: ElfInfo,
): bigint | undefined {
  if (symbol === undefined && address === undefined) return offset;
  const at = symbol === undefined ? address : elf?.symbols.get(symbol);
  return elf === undefined || at === undefined || at === null ? undefined : fileOffset(elf, at + symbolOffset);
}

function pointError(hook: CompiledHook, point: UprobeAttachPoint): KernelError {
  return new KernelError(
    'HOOK_NOT_FOUND',
    `${formatHookPosition(hook)}: ${pointName(point)} does not exist, or cannot be hooked`,
    'check the path and the symbol: nm and nm -D list the symbols of a file; a stripped program needs offsets',
  );
}
