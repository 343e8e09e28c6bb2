/**
 * The system calls that a hook of a raw tracepoint selects, if all of its selectors compare their number. The kernel then runs
 * the hook's program for these calls only. Pure.
 */
import { hookValues, isRegister } from '../../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../../compiled/compiled-policy.js';
import { argType } from '../../names/arg-types.js';
import { SYSCALL_COMPAT } from '../../names/syscalls.js';
import type { EncodeContext } from './context.js';

export interface SelectedCalls {
  /** The place of the number in struct pt_regs. */
  readonly registerOffset: number;
  readonly numbers: readonly number[];
}

interface CallConditions {
  readonly preemption: { readonly suspendsTracepoints: boolean };
}

/** The size of the table in native/hooks/call_table.cc. */
const NUMBERS_MAX = 512;
const TRACEPOINTS: readonly string[] = ['sys_enter', 'sys_exit'];

/**
 * Undefined for a hook that has to see all calls. Where the kernel can suspend the program that finds the hook, it skips that
 * program for other tasks. The kernel counts this for programs with links of their own, and their hooks report it.
 */
export function selectedCalls(
  hook: CompiledHook,
  { registers, countHits, preemption }: Pick<EncodeContext, 'registers' | 'countHits'> & CallConditions,
): SelectedCalls | undefined {
  if (preemption.suspendsTracepoints) return undefined;
  if (hook.kind !== 'raw_tracepoint' || countHits || !TRACEPOINTS.includes(hook.tracepoint?.event ?? ''))
    return undefined;
  for (const [slot, value] of hookValues(hook).entries()) {
    if (!isRegister(value) || value.resolve !== 'orig_rax' || argType(value.type).class !== 'syscall') continue;
    const numbers = listNumbers(value, hook.selectors);
    const registerOffset = registers.get(slot)?.offset;
    if (numbers !== undefined && registerOffset !== undefined) return { registerOffset, numbers };
  }
  return undefined;
}

/** The values that all selectors together accept; undefined if one of them accepts others. */
function listNumbers({ ints, intTable }: CompiledValue, selectors: number): number[] | undefined {
  const found = new Set<bigint>();
  const limited = new Set<number>();
  for (const { value, match } of intTable?.entries ?? []) if (match.length > 0) found.add(value);
  for (const selector of intTable?.positive ?? []) limited.add(selector);
  for (const group of ints) {
    if (group.negate || group.tests.some(({ op }) => op !== 'equal')) continue;
    for (const { value } of group.tests) found.add(value);
    for (const selector of group.selectors) limited.add(selector);
  }
  // a 32-bit call has the same number with another bit: the program tells them apart
  const numbers = [...new Set([...found].map((value) => Number(value & ~SYSCALL_COMPAT)))];
  const isWhole = selectors > 0 && limited.size === selectors && numbers.every((number) => number < NUMBERS_MAX);
  return isWhole ? numbers : undefined;
}
