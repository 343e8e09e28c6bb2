/** Hashes of files from the kernel's Integrity Measurement Architecture (IMA): where they are supported. */
import { hashesFiles, hookPlace } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { kernelDetail, type NativeError } from '../native/native-error.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';

/** Throws KernelError IMA_HASH_NOT_POSSIBLE if the kernel has no IMA. */
export function checkHash(hook: CompiledHook, kernel: KernelInfo): void {
  if (!hashesFiles(hook) || kernel.function('ima_file_hash') !== undefined) return;
  throw refusal(hook, 'this kernel is built without CONFIG_IMA');
}

/** The KernelError for a hash that the kernel refuses; undefined if the error has another cause. */
export function hashRefused(error: NativeError, hook: CompiledHook): KernelError | undefined {
  if (!hashesFiles(hook) || !/is not sleepable|bpf_ima_file_hash/.test(error.log ?? '')) return undefined;
  return refusal(
    hook,
    'BPF programs on this hook may not sleep, or the kernel is older than 5.18',
    kernelDetail(error),
  );
}

function refusal(hook: CompiledHook, why: string, detail = {}): KernelError {
  return new KernelError(
    'IMA_HASH_NOT_POSSIBLE',
    `${hookPlace(hook)}: no hash on ${hook.call}: ${why}`,
    'remove imaHash, or use bprm_check_security or mmap_file',
    detail,
  );
}
