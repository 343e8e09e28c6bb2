/** Filters on numbers, which have 64 bits as in the BPF programs. */
import type { CompiledValue } from '../compiled/compiled-policy.js';
import { SYSCALL_COMPAT } from '../names/syscalls.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { Candidates } from './candidates.js';
import type { ArgumentComparedAs } from './comparison-kinds.js';
import { applyEntry, applyGroup } from './tables.js';

/** The number in two's complement. */
export function argumentNumber(argument: ArgumentComparedAs<'number'>): bigint {
  const { value } = argument;
  const isCompat = argument.type === 'syscall64' && (argument.abi === 'i386' || argument.abi === 'arm32');
  return BigInt.asUintN(64, isCompat ? BigInt(value) | SYSCALL_COMPAT : BigInt(value));
}

export function filterNumber(candidates: Candidates, compiled: CompiledValue, value: bigint): void {
  for (const group of compiled.ints) applyGroup(candidates, group, value);
  const { intTable: table } = compiled;
  if (table === undefined || !candidates.hasPossible(selectorMask(table.used))) return;
  const found = table.entries.find((entry) => BigInt.asUintN(64, entry.value) === value);
  applyEntry(candidates, table, found);
}
