/** Filters on numbers: for each argument a few groups of comparisons that hold for all selectors together. */
import type { IntGroup, IntTest } from '../image.js';
import { parseInteger, toUnsigned64 } from '../values.js';
import { ARG_TYPES, NEGATED, type ArgTypeName } from '../vocabulary.js';
import { selectorSet, type Clause } from './filters.js';

interface Comparison {
  readonly op: IntTest['op'];
  readonly signed: boolean;
  readonly value: bigint;
}

/** One filter: the comparisons are alternatives. */
interface IntClause {
  readonly selector: number;
  readonly negate: boolean;
  readonly tests: readonly Comparison[];
}

/**
 * A group holds one filter of each selector, so the k-th filter of a selector on the same value goes into the k-th group;
 * those that are negated have groups of their own.
 */
export function intGroups(clauses: readonly Clause[], type: ArgTypeName): IntGroup[] {
  return groups(clauses.map((clause) => intClause(clause, type)));
}

export function pidGroups(
  clauses: readonly { selector: number; negate: boolean; pids: readonly number[] }[],
): IntGroup[] {
  return groups(
    clauses.map(({ selector, negate, pids }) => ({
      selector,
      negate,
      tests: pids.map((pid) => ({ op: 'equal', signed: false, value: BigInt(pid) })),
    })),
  );
}

function intClause(clause: Clause, type: ArgTypeName): IntClause {
  const base = NEGATED[clause.operator] ?? clause.operator;
  const negate = base !== clause.operator;
  const values = clause.values.map((value) => toUnsigned64(parseInteger(value) ?? 0n));
  if (base === 'Mask') {
    // Any bit of any value: one comparison with all of them.
    const bits = values.reduce((all, value) => all | value, 0n);
    return { selector: clause.selector, negate, tests: [{ op: 'mask', signed: false, value: bits }] };
  }
  const op =
    base === 'GreaterThan' || base === 'GT' ? 'greater' : base === 'LessThan' || base === 'LT' ? 'less' : 'equal';
  const signed = op !== 'equal' && ARG_TYPES[type].class === 'signed';
  return { selector: clause.selector, negate, tests: values.map((value) => ({ op, signed, value })) };
}

function groups(clauses: readonly IntClause[]): IntGroup[] {
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

/** Equal comparisons of several selectors become one. */
function group(clauses: readonly IntClause[], negate: boolean): IntGroup {
  const tests = new Map<string, { test: Comparison; selectors: number[] }>();
  for (const clause of clauses) {
    for (const test of clause.tests) {
      const key = `${test.op} ${test.signed} ${test.value}`;
      const entry = tests.get(key) ?? { test, selectors: [] };
      entry.selectors.push(clause.selector);
      tests.set(key, entry);
    }
  }
  return {
    negate,
    selectors: selectorSet(clauses.map((clause) => clause.selector)),
    tests: [...tests.values()].map(({ test, selectors }) => ({ ...test, selectors: selectorSet(selectors) })),
  };
}
