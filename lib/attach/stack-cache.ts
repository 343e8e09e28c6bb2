/** Decides which hooks keep the kernel stacks that they have seen: see bpf/stack_cache.bpf.h. */
import { allActions } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { KernelUnwinder } from '../wire/encode/context.js';
import { ScratchGuard } from '../wire/layout.gen.js';
import { countPossibleCpus } from './negative-cache.js';
import type { AttachContext } from './request.js';

/** The context of their programs is in a stack frame. */
const MECHANISMS: ReadonlySet<string> = new Set(['fentry', 'lsm']);

/** Tests replace `findUnwinder` to get hooks whose stacks are unwound by the kernel each time. */
export const stackCache = { findUnwinder };

let unwinder: Omit<KernelUnwinder, 'cpus'> | undefined;

/** Returns undefined if the kernel hides its addresses, or does not unwind stacks with ORC tables. */
function findUnwinder({ binding }: Pick<AttachContext, 'binding'>): KernelUnwinder | undefined {
  if (process.arch !== 'x64') return undefined;
  unwinder ??= readUnwinder((symbol) => binding.kernelSymbol(symbol));
  return unwinder === undefined ? undefined : { ...unwinder, cpus: countPossibleCpus() };
}

/** Bytes of code that have one word in orc_lookup. The last word only ends the block before. */
const BLOCK_BYTES = 256n;

function readUnwinder(find: (symbol: string) => bigint): typeof unwinder {
  const [textStart, textEnd] = [find('_stext'), find('_etext')];
  const [lookup, lookupEnd] = [find('orc_lookup'), find('orc_lookup_end')];
  const [addresses, entries] = [find('__start_orc_unwind_ip'), find('__start_orc_unwind')];
  if ([textStart, textEnd, lookup, lookupEnd, addresses, entries].includes(0n)) return undefined;
  const covered = ((lookupEnd - lookup) / 4n - 1n) * BLOCK_BYTES;
  const text = textEnd - textStart;
  return { textStart, textSize: text < covered ? text : covered, lookup, addresses, entries };
}

/** `guard`: a program that may run several times on one CPU cannot have the cache. */
export function kernelUnwinder(
  hook: CompiledHook,
  mechanism: string,
  guard: number,
  context: AttachContext,
): KernelUnwinder | undefined {
  const isUseful =
    MECHANISMS.has(mechanism) &&
    guard !== ScratchGuard.GUARD_LEVELS &&
    context.features.directRead.available &&
    allActions(hook).some(({ kernelStack, userStack }) => kernelStack === true || userStack === true);
  return isUseful ? stackCache.findUnwinder(context) : undefined;
}
