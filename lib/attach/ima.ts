/**
 * Hashes of files from the kernel's Integrity Measurement Architecture (IMA): where they are supported, and their
 * names.
 */
import { hashesFiles, hookPlace } from '../image/hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { kernelDetail, type NativeError } from '../native/native-error.js';
import type { HookImage } from '../image/image.js';
import { EventFlag, EventHeader, EventHook, ImaHash } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';

/** Names and sizes (in bytes) of digests. The index is the number in linux/hash_info.h. */
const ALGORITHMS: readonly (readonly [name: string, bytes: number])[] = [
  ['md4', 16],
  ['md5', 16],
  ['sha1', 20],
  ['rmd160', 20],
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
  ['sha224', 28],
];

/** The hash in the event's record, written as `sha256:HEX`; undefined if it has none. */
export function imaHashOf(slab: Slab, at: number): string | undefined {
  if ((slab.u16(at + EventHeader.flags) & EventFlag.EVENT_IMA_HASH) === 0) return undefined;
  const size = slab.u32(at + EventHeader.size);
  if (size < EventHook.sizeof + ImaHash.sizeof) return undefined;
  const start = at + size - ImaHash.sizeof;
  const algorithm = slab.u32(start + ImaHash.algorithm);
  const [name, bytes] = ALGORITHMS[algorithm] ?? [String(algorithm), ImaHash.digestLength];
  return `${name}:${slab.bytes.toString('hex', start + ImaHash.digest, start + ImaHash.digest + bytes)}`;
}

/** Throws KernelError IMA_HASH_NOT_POSSIBLE if the kernel has no IMA. */
export function checkHash(hook: HookImage, kernel: KernelInfo): void {
  if (!hashesFiles(hook) || kernel.function('ima_file_hash') !== undefined) return;
  throw refusal(hook, 'this kernel is built without CONFIG_IMA');
}

/** The KernelError for a hash that the kernel refuses; undefined if the error has another cause. */
export function hashRefused(error: NativeError, hook: HookImage): KernelError | undefined {
  if (!hashesFiles(hook) || !/is not sleepable|bpf_ima_file_hash/.test(error.log ?? '')) return undefined;
  return refusal(
    hook,
    'BPF programs on this hook may not sleep, or the kernel is older than 5.18',
    kernelDetail(error),
  );
}

function refusal(hook: HookImage, why: string, detail = {}): KernelError {
  return new KernelError(
    'IMA_HASH_NOT_POSSIBLE',
    `${hookPlace(hook)}: no hash on ${hook.call}: ${why}`,
    'remove imaHash, or use bprm_check_security or mmap_file',
    detail,
  );
}
