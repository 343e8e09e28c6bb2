/** Compiles filters that compare numbers one by one into a few groups. A group serves all selectors. */
import type { IntGroup, IntTest } from '../../compiled/compiled-policy.js';
import { mergeIntervals } from '../model/intervals.js';
import { toUnsigned64, type Range } from '../model/values.js';
import { sortSelectors, mergeEqualItems } from './filters.js';

export type IntComparison = Omit<IntTest, 'selectors'> & { readonly host?: true };

/** One filter of one selector. It holds if at least one comparison is true. */
export interface IntClause {
  readonly selector: number;
  readonly negate: boolean;
  readonly tests: readonly IntComparison[];
}

/**
 * A group contains at most one filter of each selector. So the k-th filter of a selector on the same value goes into
 * the k-th group. Negated filters have groups of their own.
 */
export function makeIntGroups(clauses: readonly IntClause[]): IntGroup[] {
  const found: IntGroup[] = [];
  for (const negate of [false, true]) {
    const rows: IntClause[][] = [];
    const used = new Map<number, number>();
    for (const clause of clauses.filter((c) => c.negate === negate)) {
      const row = used.get(clause.selector) ?? 0;
      used.set(clause.selector, row + 1);
      (rows[row] ??= []).push(clause);
    }
    for (const row of rows) found.push(makeIntGroup(row, negate));
  }
  return found;
}

/** Equal comparisons of several selectors become one. */
function makeIntGroup(clauses: readonly IntClause[], negate: boolean): IntGroup {
  return {
    negate,
    selectors: sortSelectors(clauses.map((clause) => clause.selector)),
    tests: mergeEqualItems(clauses.flatMap(({ selector, tests }) => tests.map((item) => ({ selector, item })))),
  };
}

export function makeEqualTest(value: bigint): IntComparison {
  return { op: 'equal', signed: false, value: toUnsigned64(value) };
}

/** Ranges that overlap or touch become one comparison. */
export function makeRangeTests(ranges: readonly Range[], signed: boolean): IntComparison[] {
  return mergeIntervals(ranges).map(({ minimum, maximum }) =>
    minimum === maximum
      ? makeEqualTest(minimum)
      : { op: 'range', signed, value: toUnsigned64(minimum), upper: toUnsigned64(maximum) },
  );
}
