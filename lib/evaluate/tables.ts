/** Tables of exact values and comparisons of numbers, as bpf/filters.bpf.h applies them. */
import type { IntGroup, IntTest, TableEntry, ValueTable } from '../compiled/compiled-policy.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { Candidates } from './candidates.js';

/** `apply` of bpf/filters.bpf.h. */
export function applyEntry<T>(candidates: Candidates, table: ValueTable<T>, entry: TableEntry<T> | undefined): void {
  const positive = selectorMask(table.positive);
  if (entry === undefined) candidates.drop(positive);
  else candidates.keep((selectorMask(entry.match) | ~positive) & ~selectorMask(entry.reject));
}

/** `value` has 64 bits. */
export function applyGroup(candidates: Candidates, group: IntGroup, value: bigint): void {
  const hits = group.tests.reduce(
    (bits, test) => (holds(test, value) ? bits | selectorMask(test.selectors) : bits),
    0n,
  );
  candidates.keep(group.negate ? ~hits : hits | ~selectorMask(group.selectors));
}

function holds({ op, signed, value: against, upper = 0n }: IntTest, value: bigint): boolean {
  const as = (number: bigint): bigint => (signed ? BigInt.asIntN(64, number) : BigInt.asUintN(64, number));
  switch (op) {
    case 'equal':
      return value === BigInt.asUintN(64, against);
    case 'mask':
      return (value & BigInt.asUintN(64, against)) !== 0n;
    case 'greater':
      return as(value) > as(against);
    case 'less':
      return as(value) < as(against);
    case 'range':
      return as(value) >= as(against) && as(value) <= as(upper);
  }
}

/** The entry with the most of what fits. */
export function longestEntry<T>(
  table: ValueTable<T>,
  lengthOf: (value: T) => number,
  fits: (value: T) => boolean,
): TableEntry<T> | undefined {
  let longest: TableEntry<T> | undefined;
  for (const entry of table.entries) {
    const isLonger = longest === undefined || lengthOf(entry.value) > lengthOf(longest.value);
    if (isLonger && fits(entry.value)) longest = entry;
  }
  return longest;
}
