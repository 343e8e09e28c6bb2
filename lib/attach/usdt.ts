/** Attaches a hook to a static probe (USDT) of a program. ELF notes in the file contain its places. */
import { KernelError } from '../errors.js';
import { elfInTurns } from '../elf/elf.js';
import type { ProbePlace } from '../elf/elf-info.js';
import { hookPlace, valuePlace, valuesOf } from '../image/hook.js';
import type { HookImage } from '../image/image.js';
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

/** Rejects with KernelError HOOK_NOT_FOUND, or ARG_BEYOND_PROTOTYPE if a place has fewer arguments than the hook reads. */
async function probePlaces(hook: HookImage): Promise<readonly ProbePlace[]> {
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
  return places;
}

/** The KernelError for a probe of a library, where a program cannot know which probe was hit. */
function cookieMissing(error: NativeError, { hook, context }: AttachRequest, path: string): KernelError | undefined {
  if (error.errno !== 'EOPNOTSUPP' || context.features.attachCookie.available) return undefined;
  const why = `attachCookie (${missingReason('attachCookie', context.features)}), which a library needs`;
  return notAvailable(hook, `${path}:${hook.call}`, why);
}

/** The KernelError for a probe that libbpf refuses because it cannot read one of its arguments. */
function encodingUnknown(error: NativeError, hook: HookImage): KernelError | undefined {
  const [, why] =
    /usdt: ((?:unrecognized|unsupported) (?:arg|register)[^\n]*|too many USDT arg[^\n]*)/.exec(error.log ?? '') ?? [];
  if (hook.usdt === undefined || why === undefined) return undefined;
  return new KernelError(
    'PROBE_ENCODING',
    `${hookPlace(hook)}: the arguments of ${hook.call} cannot be read: ${why}`,
    'use a uprobe at the offset of the probe, or build the addon with a newer libbpf, which supports more encodings',
    kernelDetail(error),
  );
}
