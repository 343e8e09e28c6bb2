/** Decides which hooks have a negative cache: a cache of paths that no selector can match. See bpf/negative_cache.bpf.h. */
import { readFileSync } from 'node:fs';
import { hasTables, hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { KernelLocks } from '../wire/encode/context.js';
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
    : {
        rename,
        mount,
        rcuState: binding.kernelSymbol('rcu_state'),
        cpus: countPossibleCpus(),
        holdTicks: HOLD_TICKS,
      };
}

/** Returns the number of CPUs that the kernel can have. The file ends with the number of the last one. */
export function countPossibleCpus(): number {
  return 1 + Number(/\d+$/.exec(readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim())?.[0] ?? 0);
}

export function negativeCacheLocks(
  hook: CompiledHook,
  mechanism: string,
  context: AttachContext,
): KernelLocks | undefined {
  const isUseful =
    context.cachePaths &&
    MECHANISMS.has(mechanism) &&
    context.features.directRead.available &&
    hookValues(hook).some(isPathFilter);
  return isUseful ? negativeCache.findLocks(context) : undefined;
}

/** False for a filter with `inode`, because its result depends on more than the path. */
function isPathFilter(value: ReturnType<typeof hookValues>[number]): boolean {
  return READS[value.type].class === 'path' && hasTables(value) && (value.texts.inode ?? []).length === 0;
}
