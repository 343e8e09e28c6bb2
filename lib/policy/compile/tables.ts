/** Makes tables of exact values, prefixes and networks. The result of each entry is computed in advance. */
import type { TableEntry, ValueTable } from '../../compiled/compiled-policy.js';
import { selectorSet } from './filters.js';

/** One filter of one selector. It matches any of its values, which are named by their keys. */
export interface TableClause {
  readonly selector: number;
  readonly negate: boolean;
  readonly keys: ReadonlySet<string>;
}

export interface Keyed<T> {
  readonly key: string;
  readonly value: T;
}

/**
 * `values` contains each value that a filter names once. A value that matches another (such as a shorter prefix) comes
 * right before it. The kernel finds the longest entry that matches the text it looks up. Every value is an entry, so
 * every other value that matches the text also matches that entry. It is therefore enough to test the entry's own value
 * against all filters: the result holds for every text that leads to this entry. This also works for several filters of
 * one selector, which must all match.
 */
export function valueTable<T>(
  clauses: readonly TableClause[],
  values: readonly Keyed<T>[],
  fits: (value: T, other: T) => boolean,
): ValueTable<T> {
  return {
    positive: selectorSet(clauses.filter((clause) => !clause.negate).map((clause) => clause.selector)),
    used: selectorSet(clauses.map((clause) => clause.selector)),
    entries: chains(values, fits).map((chain) => entry(chain, clauses)),
  };
}

/**
 * For each value, the values that match it, with itself last. A stack keeps them, so that thousands of values do not
 * need millions of comparisons.
 */
function chains<T>(sorted: readonly Keyed<T>[], fits: (value: T, other: T) => boolean): (readonly Keyed<T>[])[] {
  let chain: readonly Keyed<T>[] = [];
  return sorted.map((value) => (chain = [...chain.filter((other) => fits(value.value, other.value)), value]));
}

function entry<T>(chain: readonly Keyed<T>[], clauses: readonly TableClause[]): TableEntry<T> {
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
    value: (chain.at(-1) as Keyed<T>).value,
    match: selectorSet([...match].filter((selector) => !failed.has(selector))),
    reject: selectorSet(reject),
  };
}

/** Removes repeated values and keeps the order of first appearance. */
export function distinct<T>(values: readonly Keyed<T>[]): Keyed<T>[] {
  return [...new Map(values.map((value) => [value.key, value])).values()];
}
