/** Static probes of programs: where the notes of the file say that they are, and what cannot be read there. */
import { KernelError } from '../errors.js';
import { kernelDetail, type NativeError } from '../native/binding.js';
import type { HookImage } from '../image/image.js';
import type { ProbePlace } from '../elf/elf-info.js';
import { hostFiles } from '../elf/elf.js';
import { valuesOf } from '../wire/encode/context.js';
import { hookPlace } from './load.js';
import { placeOf } from './values.js';

/** Throws KernelError HOOK_NOT_FOUND, or ARG_BEYOND_PROTOTYPE where a place has fewer arguments than are read. */
export function probePlaces(hook: HookImage): readonly ProbePlace[] {
  const { path = '' } = hook.usdt ?? {};
  const elf = hostFiles.elf(path);
  if (!elf) {
    const why = elf === null ? 'is no ELF file' : 'cannot be read';
    throw new KernelError('HOOK_NOT_FOUND', `${hookPlace(hook)}: ${path} ${why}`, 'check the path');
  }
  const places = elf.probes.get(hook.call);
  if (places === undefined) {
    throw new KernelError(
      'HOOK_NOT_FOUND',
      `${hookPlace(hook)}: ${path} has no static probe ${hook.call}`,
      elf.probes.size === 0 ? 'it has none at all' : `it has ${[...elf.probes.keys()].slice(0, 8).join(', ')}`,
    );
  }
  const fewest = Math.min(...places.map(({ args }) => args.length));
  const beyond = valuesOf(hook).find((value) => value.source === undefined && value.index >= fewest);
  if (beyond !== undefined) {
    throw new KernelError(
      'ARG_BEYOND_PROTOTYPE',
      `${placeOf(hook, beyond)}: ${hook.call} has ${fewest} arguments, index ${beyond.index} is none of them`,
      'indexes count from 0',
    );
  }
  return places;
}

/** libbpf's refusal of a probe, all of whose arguments it must be able to read. */
export function encodingUnknown(error: NativeError, hook: HookImage): KernelError | undefined {
  const [, why] =
    /usdt: ((?:unrecognized|unsupported) (?:arg|register)[^\n]*|too many USDT arg[^\n]*)/.exec(error.log ?? '') ?? [];
  if (hook.usdt === undefined || why === undefined) return undefined;
  return new KernelError(
    'PROBE_ENCODING',
    `${hookPlace(hook)}: the arguments of ${hook.call} cannot be read: ${why}`,
    'newer versions of libbpf, which the addon is built with, know more encodings; or use a uprobe at the offset of the probe',
    kernelDetail(error),
  );
}
