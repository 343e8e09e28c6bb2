/** Checks that a hook can get file hashes from the kernel's Integrity Measurement Architecture (IMA). */
import { hasFileHash, formatHookPosition } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import { kernelDetail, type NativeError } from '../native/native-error.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';

/** Throws KernelError IMA_HASH_NOT_POSSIBLE if the kernel has no IMA. */
export function checkHash(hook: CompiledHook, kernel: KernelInfo): void {
  if (!hasFileHash(hook) || kernel.function('ima_file_hash') !== undefined) return;
  throw hashError(hook, 'this kernel is built without CONFIG_IMA');
}

/** Returns the KernelError for a hash that the kernel refuses; undefined if the error has another cause. */
export function toHashError(error: NativeError, hook: CompiledHook): KernelError | undefined {
  if (!hasFileHash(hook) || !/is not sleepable|bpf_ima_file_hash/.test(error.log ?? '')) return undefined;
  return hashError(
    hook,
    'BPF programs on this hook may not sleep, or the kernel is older than 5.18',
    kernelDetail(error),
  );
}

function hashError(hook: CompiledHook, why: string, detail = {}): KernelError {
  return new KernelError(
    'IMA_HASH_NOT_POSSIBLE',
    `${formatHookPosition(hook)}: no hash on ${hook.call}: ${why}`,
    'remove imaHash, or use bprm_check_security or mmap_file',
    detail,
  );
}
