/** Applies tables of exact values and comparisons of numbers, as bpf/filters.bpf.h does. */
import type { IntGroup, IntTest, TableEntry, ValueTable } from '../compiled/compiled-policy.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { Candidates } from './candidates.js';

/** Same as `apply` of bpf/filters.bpf.h. */
export function applyEntry<T>(candidates: Candidates, table: ValueTable<T>, entry: TableEntry<T> | undefined): void {
  const positive = selectorMask(table.positive);
  if (entry === undefined) candidates.drop(positive);
  else candidates.keep((selectorMask(entry.match) | ~positive) & ~selectorMask(entry.reject));
}

/** `value` has 64 bits. */
export function applyGroup(candidates: Candidates, group: IntGroup, value: bigint): void {
  const hits = group.tests.reduce(
    (bits, test) => (isHit(test, value) ? bits | selectorMask(test.selectors) : bits),
    0n,
  );
  candidates.keep(group.negate ? ~hits : hits | ~selectorMask(group.selectors));
}

function isHit({ op, signed, value: against, upper = 0n }: IntTest, value: bigint): boolean {
  const interpret = (number: bigint): bigint => (signed ? BigInt.asIntN(64, number) : BigInt.asUintN(64, number));
  switch (op) {
    case 'equal':
      return value === BigInt.asUintN(64, against);
    case 'mask':
      return (value & BigInt.asUintN(64, against)) !== 0n;
    case 'greater':
      return interpret(value) > interpret(against);
    case 'less':
      return interpret(value) < interpret(against);
    case 'range':
      return interpret(value) >= interpret(against) && interpret(value) <= interpret(upper);
  }
}

/** The longest entry that fits. */
export function findLongestEntry<T>(
  table: ValueTable<T>,
  valueLength: (value: T) => number,
  fits: (value: T) => boolean,
): TableEntry<T> | undefined {
  let longest: TableEntry<T> | undefined;
  for (const entry of table.entries) {
    const isLonger = longest === undefined || valueLength(entry.value) > valueLength(longest.value);
    if (isLonger && fits(entry.value)) longest = entry;
  }
  return longest;
}
