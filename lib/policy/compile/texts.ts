/** Filters on texts: one table for each way of comparing, with what every entry means worked out in advance. */
import type { TextEntry, TextFilters, TextTable } from '../image.js';
import { withoutFinalNul } from '../values.js';
import { NEGATED } from '../vocabulary.js';
import { selectorSet, type Clause } from './filters.js';

type Fits = (text: string, value: string) => boolean;

const COMPARISONS: readonly { key: keyof TextFilters; operator: string; fits: Fits; reversed: boolean }[] = [
  { key: 'equal', operator: 'Equal', fits: (text, value) => text === value, reversed: false },
  { key: 'prefix', operator: 'Prefix', fits: (text, value) => text.startsWith(value), reversed: false },
  { key: 'postfix', operator: 'Postfix', fits: (text, value) => text.endsWith(value), reversed: true },
];

export function textFilters(clauses: readonly Clause[]): TextFilters {
  const filters: { -readonly [key in keyof TextFilters]: TextFilters[key] } = {};
  for (const { key, operator, fits, reversed } of COMPARISONS) {
    const own = clauses.filter((clause) => (NEGATED[clause.operator] ?? clause.operator) === operator);
    if (own.length > 0) filters[key] = table(own, fits, reversed);
  }
  return filters;
}

interface TextClause {
  readonly selector: number;
  readonly negate: boolean;
  readonly values: ReadonlySet<string>;
}

/**
 * The kernel finds the longest entry that fits. Every value is an entry, so each other value that fits the text fits that
 * entry as well: testing the entry's own value against all filters gives what holds for every text that ends up at it. That
 * covers several filters of one selector too, which must all hold.
 */
function table(clauses: readonly Clause[], fits: Fits, reversed: boolean): TextTable {
  const own = clauses.map((clause): TextClause => ({
    selector: clause.selector,
    negate: NEGATED[clause.operator] !== undefined,
    values: new Set(clause.values.map(withoutFinalNul)),
  }));
  const positive = own.filter((clause) => !clause.negate);
  const values = sortTexts([...new Set(own.flatMap((clause) => [...clause.values]))], reversed);
  const shorter = lookup(values, fits);
  return {
    positive: selectorSet(positive.map((clause) => clause.selector)),
    used: selectorSet(own.map((clause) => clause.selector)),
    entries: values.map((value) => entry(value, own, shorter(value))),
  };
}

/** `fitting`: the values that fit the entry, its own included. */
function entry(value: string, clauses: readonly TextClause[], fitting: readonly string[]): TextEntry {
  const holds = (clause: TextClause): boolean => fitting.some((other) => clause.values.has(other));
  const match = new Set<number>();
  const failed = new Set<number>();
  const reject = new Set<number>();
  for (const clause of clauses) {
    const held = holds(clause);
    if (clause.negate) {
      if (held) reject.add(clause.selector);
    } else if (held) {
      match.add(clause.selector);
    } else {
      failed.add(clause.selector);
    }
  }
  return {
    value,
    match: selectorSet([...match].filter((selector) => !failed.has(selector))),
    reject: selectorSet(reject),
  };
}

/**
 * Gives the values that fit a given one. In sorted order they form a chain that a stack follows, so that thousands of
 * values do not need millions of comparisons.
 */
function lookup(sorted: readonly string[], fits: Fits): (value: string) => readonly string[] {
  const chains = new Map<string, readonly string[]>();
  let chain: string[] = [];
  for (const value of sorted) {
    chain = chain.filter((other) => fits(value, other));
    chain.push(value);
    chains.set(value, chain);
    chain = [...chain];
  }
  return (value) => chains.get(value) ?? [value];
}

/** By bytes, read from the end where ends are compared: what fits a value comes right before it. */
function sortTexts(values: readonly string[], reversed: boolean): string[] {
  const keyed = values.map((value) => {
    const bytes = Buffer.from(value);
    return { value, bytes: reversed ? bytes.reverse() : bytes };
  });
  return keyed.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ value }) => value);
}
