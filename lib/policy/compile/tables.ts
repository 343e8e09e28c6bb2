/** Makes tables of exact values, prefixes and networks. The compiler computes the result of each entry. */
import type { TableEntry, ValueTable } from '../../compiled/compiled-policy.js';
import { sortSelectors } from './filters.js';

/** One filter of one selector. It matches any of its values, which `keys` identify. */
export interface TableClause {
  readonly selector: number;
  readonly negate: boolean;
  readonly keys: ReadonlySet<string>;
}

export interface KeyedValue<T> {
  readonly key: string;
  readonly value: T;
}

/**
 * `values` contains each value of the filters once. A value that matches another one (such as a shorter prefix) comes
 * before it. A lookup finds the longest entry that matches the string. Every other value that matches the string also
 * matches that entry, because every value is an entry. It is therefore enough to test the entry's value against all
 * filters: the result is correct for every string whose lookup finds this entry. This also works for several filters of
 * one selector, which must all match.
 */
export function makeValueTable<T>(
  clauses: readonly TableClause[],
  values: readonly KeyedValue<T>[],
  fits: (value: T, other: T) => boolean,
): ValueTable<T> {
  return {
    positive: sortSelectors(clauses.filter((clause) => !clause.negate).map((clause) => clause.selector)),
    used: sortSelectors(clauses.map((clause) => clause.selector)),
    entries: makeChains(values, fits).map((chain) => makeEntry(chain, clauses)),
  };
}

/**
 * Returns for each value the chain of values that match it, with the value itself last. The chain is kept as a stack, so
 * that thousands of values do not need millions of comparisons.
 */
function makeChains<T>(
  sorted: readonly KeyedValue<T>[],
  fits: (value: T, other: T) => boolean,
): (readonly KeyedValue<T>[])[] {
  let chain: readonly KeyedValue<T>[] = [];
  return sorted.map((value) => (chain = [...chain.filter((other) => fits(value.value, other.value)), value]));
}

function makeEntry<T>(chain: readonly KeyedValue<T>[], clauses: readonly TableClause[]): TableEntry<T> {
  const match = new Set<number>();
  const failed = new Set<number>();
  const reject = new Set<number>();
  for (const { selector, negate, keys } of clauses) {
    const held = chain.some(({ key }) => keys.has(key));
    if (negate) {
      if (held) reject.add(selector);
    } else {
      (held ? match : failed).add(selector);
    }
  }
  return {
    value: (chain.at(-1) as KeyedValue<T>).value,
    match: sortSelectors([...match].filter((selector) => !failed.has(selector))),
    reject: sortSelectors(reject),
  };
}

/** Keeps the first of equal values, in the same order. */
export function removeDuplicates<T>(values: readonly KeyedValue<T>[]): KeyedValue<T>[] {
  return [...new Map(values.map((value) => [value.key, value])).values()];
}
