/** Compiles filters that compare numbers one by one into a few groups, each for all selectors together. */
import type { IntGroup, IntTest } from '../../compiled/compiled-policy.js';
import { join } from '../model/intervals.js';
import { toUnsigned64, type Range } from '../model/values.js';
import { selectorSet, shared } from './filters.js';

export type Comparison = Omit<IntTest, 'selectors'> & { readonly host?: true };

/** One filter. One comparison that is true is enough. */
export interface IntClause {
  readonly selector: number;
  readonly negate: boolean;
  readonly tests: readonly Comparison[];
}

/**
 * A group contains at most one filter of each selector. So the k-th filter of a selector on the same value goes into
 * the k-th group. Negated filters have groups of their own.
 */
export function intGroups(clauses: readonly IntClause[]): IntGroup[] {
  const found: IntGroup[] = [];
  for (const negate of [false, true]) {
    const rows: IntClause[][] = [];
    const used = new Map<number, number>();
    for (const clause of clauses.filter((c) => c.negate === negate)) {
      const row = used.get(clause.selector) ?? 0;
      used.set(clause.selector, row + 1);
      (rows[row] ??= []).push(clause);
    }
    for (const row of rows) found.push(group(row, negate));
  }
  return found;
}

/** Makes one group. Equal comparisons of several selectors become one. */
function group(clauses: readonly IntClause[], negate: boolean): IntGroup {
  return {
    negate,
    selectors: selectorSet(clauses.map((clause) => clause.selector)),
    tests: shared(clauses.flatMap(({ selector, tests }) => tests.map((item) => ({ selector, item })))),
  };
}

export function equal(value: bigint): Comparison {
  return { op: 'equal', signed: false, value: toUnsigned64(value) };
}

/** Makes comparisons for ranges. Ranges that overlap or touch become one. */
export function rangeTests(ranges: readonly Range[], signed: boolean): Comparison[] {
  return join(ranges).map(({ minimum, maximum }) =>
    minimum === maximum
      ? equal(minimum)
      : { op: 'range', signed, value: toUnsigned64(minimum), upper: toUnsigned64(maximum) },
  );
}
