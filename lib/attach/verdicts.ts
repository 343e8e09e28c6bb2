/** Chooses the hooks that remember paths that no selector can match, see bpf/verdicts.bpf.h. */
import { readFileSync } from 'node:fs';
import { hasTables, valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { KernelLocks } from '../wire/encode/context.js';
import { READS } from '../wire/reads.js';
import type { AttachContext } from './request.js';

/** Programs of these mechanisms are never started on a CPU where they are interrupted. */
const MECHANISMS: ReadonlySet<string> = new Set(['fentry', 'kprobe', 'kprobe.multi']);

/** Where names change all the time, paths are remembered so seldom that it costs little. */
const REST_TICKS = 25;

/** Tests replace it: by a hook that remembers nothing, and by locks that nobody takes. */
export const verdicts = { findLocks };

/** Undefined where the kernel does not show the locks, or programs cannot read them in order. */
function findLocks({ binding }: Pick<AttachContext, 'binding'>): KernelLocks | undefined {
  if (process.arch !== 'x64') return undefined;
  const rename = binding.kernelSymbol('rename_lock');
  const mount = binding.kernelSymbol('mount_lock');
  return rename === 0n || mount === 0n ? undefined : { rename, mount, cpus: possibleCpus(), rest: REST_TICKS };
}

/** The file ends in the number of the last CPU that the kernel can have. */
function possibleCpus(): number {
  return 1 + Number(/\d+$/.exec(readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim())?.[0] ?? 0);
}

export function locksFor(hook: CompiledHook, mechanism: string, context: AttachContext): KernelLocks | undefined {
  const isUseful =
    MECHANISMS.has(mechanism) && context.features.directRead.available && valuesOf(hook).some(isPathFilter);
  return isUseful ? verdicts.findLocks(context) : undefined;
}

/** A filter with `inode` depends on more than the path. */
function isPathFilter(value: ReturnType<typeof valuesOf>[number]): boolean {
  return READS[value.type].class === 'path' && hasTables(value) && (value.texts.inode ?? []).length === 0;
}
