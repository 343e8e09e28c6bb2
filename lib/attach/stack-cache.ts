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

type OrcTables = Omit<KernelUnwinder, 'cpus'>;

/** They stay where they are as long as the kernel runs. */
let tables: OrcTables | undefined;

/** Returns undefined if the kernel hides its addresses, or does not unwind stacks with ORC tables. */
function findUnwinder({ binding }: Pick<AttachContext, 'binding'>): KernelUnwinder | undefined {
  if (process.arch !== 'x64') return undefined;
  tables ??= readUnwinder((symbol) => binding.kernelSymbol(symbol));
  return tables === undefined ? undefined : { ...tables, cpus: countPossibleCpus() };
}

/** Bytes of code that have one word in orc_lookup. The last word only ends the block before. */
const BLOCK_BYTES = 256n;

/** Exported for tests. Returns undefined if `find` returns 0 for a symbol, which it does not know. */
export function readUnwinder(find: (symbol: string) => bigint): OrcTables | undefined {
  const [textStart, textEnd] = [find('_stext'), find('_etext')];
  const [lookup, lookupEnd] = [find('orc_lookup'), find('orc_lookup_end')];
  const [addresses, entries] = [find('__start_orc_unwind_ip'), find('__start_orc_unwind')];
  if ([textStart, textEnd, lookup, lookupEnd, addresses, entries].includes(0n)) return undefined;
  const covered = ((lookupEnd - lookup) / 4n - 1n) * BLOCK_BYTES;
  const text = textEnd - textStart;
  return { textStart, textSize: text < covered ? text : covered, lookup, addresses, entries };
}

/** With more parameters, a trampoline needs more of the stack than the program looks at. */
const PARAMS_MAX = 6;

/**
 * `guard`: a program that may run several times on one CPU cannot have the cache. `params`: the number of parameters of
 * the hooked function.
 */
export function kernelUnwinder(
  hook: CompiledHook,
  { mechanism, guard, params }: { readonly mechanism: string; readonly guard: number; readonly params: number },
  context: AttachContext,
): KernelUnwinder | undefined {
  const isUseful =
    MECHANISMS.has(mechanism) &&
    guard !== ScratchGuard.GUARD_LEVELS &&
    params <= PARAMS_MAX &&
    context.features.directRead.available &&
    allActions(hook).some(({ kernelStack, userStack }) => kernelStack === true || userStack === true);
  return isUseful ? stackCache.findUnwinder(context) : undefined;
}
