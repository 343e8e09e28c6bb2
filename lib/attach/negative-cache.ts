/** Decides which hooks have a negative cache: a cache of paths that no selector can match. See bpf/negative_cache.bpf.h. */
import { readFileSync } from 'node:fs';
import { hasTables, hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import type { EncodeContext, KernelLocks } from '../wire/encode/context.js';
import { READS } from '../wire/reads.js';
import type { AttachContext } from './request.js';

/** A program of these mechanisms never interrupts itself on the same CPU. */
const MECHANISMS: ReadonlySet<string> = new Set(['fentry', 'kprobe', 'kprobe.multi']);

/** If names change all the time, the cache is filled so rarely that filling it costs little. */
const HOLD_TICKS = 25;

/** Tests replace `findLocks` to get hooks without a negative cache, and hooks whose locks never change. */
export const negativeCache = { findLocks };

/** Returns undefined if the kernel hides the addresses of the locks, or if programs cannot read the locks in order. */
function findLocks({ binding }: Pick<AttachContext, 'binding'>): KernelLocks | undefined {
  if (process.arch !== 'x64') return undefined;
  const rename = binding.kernelSymbol('rename_lock');
  const mount = binding.kernelSymbol('mount_lock');
  return rename === 0n || mount === 0n
    ? undefined
    : { rename, mount, memoryMount: binding.kernelSymbol('shm_mnt'), cpus: countPossibleCpus(), holdTicks: HOLD_TICKS };
}

/** Returns the number of CPUs that the kernel can have. The file ends with the number of the last one. */
export function countPossibleCpus(): number {
  return 1 + Number(/\d+$/.exec(readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim())?.[0] ?? 0);
}

/** For the hook's own program, and for the program of a group, in which other hooks have the filters on its path. */
export function negativeCacheLocks(
  hook: CompiledHook,
  mechanism: string,
  context: AttachContext,
): Pick<EncodeContext, 'locks' | 'groupLocks'> {
  const values = hookValues(hook);
  const isPossible = context.cachePaths && MECHANISMS.has(mechanism) && context.features.directRead.available;
  if (!isPossible || !values.some(isPath)) return {};
  const locks = negativeCache.findLocks(context);
  return { locks: values.some(isPathFilter) ? locks : undefined, groupLocks: locks };
}

function isPath({ type }: CompiledValue): boolean {
  return READS[type].class === 'path';
}

/** False for a filter with `inode`, because its result depends on more than the path. */
function isPathFilter(value: CompiledValue): boolean {
  return isPath(value) && hasTables(value) && (value.texts.inode ?? []).length === 0;
}
