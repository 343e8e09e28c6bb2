/** Tables of exact values, prefixes and networks, with what every entry means worked out in advance. */
import type { TableEntry, ValueTable } from '../../image/image.js';
import { selectorSet } from './filters.js';

/** One filter of one selector: any of the values, by their keys. */
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
 * `values`: all that any filter names, each once; what fits a value comes right before it. The kernel finds the longest entry
 * that fits. Every value is an entry, so each other value that fits what is looked for fits that entry as well: testing the
 * entry's own value against all filters gives what holds for everything that ends up at it. That covers several filters of
 * one selector too, which must all hold.
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

/** For each value those that fit it, itself last. A stack follows them, so that thousands do not need millions of comparisons. */
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

/** Each once, in the order of first appearance. */
export function distinct<T>(values: readonly Keyed<T>[]): Keyed<T>[] {
  return [...new Map(values.map((value) => [value.key, value])).values()];
}
