/** Attaches a hook to a static probe (USDT) of a program. ELF notes in the file contain its places. */
import { KernelError } from '../errors.js';
import { elfInTurns } from '../elf/elf.js';
import type { ProbePlace } from '../elf/elf-info.js';
import { hookPlace, valuePlace, valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { kernelDetail, type NativeError } from '../native/native-error.js';
import { missingReason } from '../native/preflight.js';
import { notAvailable } from './mechanisms.js';
import { argumentChanges } from './program-changes.js';
import type { Attached, AttachRequest } from './request.js';
import { attachSingle, ifThere } from './single.js';

export function attachUsdt(request: AttachRequest): Promise<Attached | undefined> {
  const { hook, context } = request;
  const { path = '', provider = '', name = '' } = hook.usdt ?? {};
  return ifThere(request, async () => {
    const places = await probePlaces(hook);
    return await attachSingle(request, {
      attachment: { mechanism: 'usdt', target: name, group: provider, path, entry: true, return: false },
      attach: 'usdt',
      name: `${path}:${hook.call}`,
      feature: 'uprobe',
      refused: (error) => cookieMissing(error, request, path) ?? encodingUnknown(error, hook),
      probePlaces: places.length,
      programChanges: argumentChanges(hook, places, context.features),
    });
  });
}

/**
 * Rejects with KernelError HOOK_NOT_FOUND, ARG_BEYOND_PROTOTYPE if a place has fewer arguments than the hook reads, or
 * PROBE_ENCODING.
 */
async function probePlaces(hook: CompiledHook): Promise<readonly ProbePlace[]> {
  const { path = '' } = hook.usdt ?? {};
  const elf = await elfInTurns(path);
  if (!elf) {
    const why = elf === null ? 'is not an ELF file' : 'cannot be read';
    throw new KernelError('HOOK_NOT_FOUND', `${hookPlace(hook)}: ${path} ${why}`, 'check the path');
  }
  const places = elf.probes.get(hook.call);
  if (places === undefined) {
    throw new KernelError(
      'HOOK_NOT_FOUND',
      `${hookPlace(hook)}: ${path} has no static probe ${hook.call}`,
      elf.probes.size === 0
        ? 'the file has no static probes'
        : `the file has ${[...elf.probes.keys()].slice(0, 8).join(', ')}`,
    );
  }
  const fewest = Math.min(...places.map(({ args }) => args.length));
  const beyond = valuesOf(hook).find((value) => value.source === undefined && value.index >= fewest);
  if (beyond !== undefined) {
    throw new KernelError(
      'ARG_BEYOND_PROTOTYPE',
      `${valuePlace(hook, beyond)}: ${hook.call} has ${fewest} arguments, so there is no index ${beyond.index}`,
      'indexes count from 0',
    );
  }
  checkEncodings(hook, places);
  return places;
}

/** Arguments that libbpf reads: in a register, in memory at a constant distance from registers, or a number. */
const READABLE = {
  x64: /^-?\d{1,2}@(?:(?:-?\d{1,18})?\(%\w{2,4}(?:,%\w{2,4}(?:,[1248])?)?\)|%\w{2,5}|\$-?\d{1,18})$/,
  arm64: /^-?\d{1,2}@(?:\[[a-z]\w{1,4}(?:, ?-?\d{1,18})?\]|[a-z]\w{1,4}|-?\d{1,18})$/,
};

/**
 * Rejects with KernelError PROBE_ENCODING. The file may come from an attacker, and libbpf must not see a text that ends in the
 * middle of an argument: it takes the length of such an argument from memory that nobody has written (parse_usdt_arg in usdt.c).
 */
function checkEncodings(hook: CompiledHook, places: readonly ProbePlace[]): void {
  const readable = process.arch === 'arm64' ? READABLE.arm64 : READABLE.x64;
  for (const { args } of places) {
    const index = args.findIndex((arg) => !readable.test(arg));
    if (index >= 0)
      throw encoding(hook, `unrecognized arg #${index} spec ${JSON.stringify(args[index]?.slice(0, 64))}`);
  }
}

function encoding(hook: CompiledHook, why: string, detail?: ReturnType<typeof kernelDetail>): KernelError {
  return new KernelError(
    'PROBE_ENCODING',
    `${hookPlace(hook)}: the arguments of ${hook.call} cannot be read: ${why}`,
    'use a uprobe at the offset of the probe',
    detail,
  );
}

/** The KernelError for a probe of a library, where a program cannot know which probe was hit. */
function cookieMissing(error: NativeError, { hook, context }: AttachRequest, path: string): KernelError | undefined {
  if (error.errno !== 'EOPNOTSUPP' || context.features.attachCookie.available) return undefined;
  const why = `attachCookie (${missingReason('attachCookie', context.features)}), which a library needs`;
  return notAvailable(hook, `${path}:${hook.call}`, why);
}

/** The KernelError for a probe that libbpf refuses because it cannot read one of its arguments. */
function encodingUnknown(error: NativeError, hook: CompiledHook): KernelError | undefined {
  const [, why] =
    /usdt: ((?:unrecognized|unsupported) (?:arg|register)[^\n]*|too many USDT arg[^\n]*)/.exec(error.log ?? '') ?? [];
  if (hook.usdt === undefined || why === undefined) return undefined;
  return encoding(hook, why, kernelDetail(error));
}
