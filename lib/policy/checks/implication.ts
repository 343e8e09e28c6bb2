/** Decides whether a filter implies another one. The warnings about unreachable selectors need it. */
import { filterIntervals, intersectIntervals, isSubset, type Intervals } from '../model/intervals.js';
import type { ValueFilter } from '../model/model.js';
import { stripFinalNul } from '../model/values.js';
import {
  isNegatedOperator,
  positiveOperator,
  type Operator,
  type StringOperator,
  type TypeFacts,
} from '../language/vocabulary.js';

/** Maximum number of values of a compared filter. With more values, the comparison would take too long. */
const COMPARED_VALUES_MAX = 512;

function isNegatedFilter({ operator }: ValueFilter): boolean {
  return operator !== undefined && isNegatedOperator(operator);
}

/** The operators whose strings alone decide what the filter matches. */
const DECIDING_OPERATORS = {
  Equal: 'Equal',
  Prefix: 'Prefix',
  Postfix: 'Postfix',
  SubString: undefined,
  SubStringIgnCase: undefined,
  FileType: undefined,
  Family: undefined,
} as const satisfies { readonly [O in StringOperator]: O | undefined };

type DecidingOperator = NonNullable<(typeof DECIDING_OPERATORS)[StringOperator]>;

/** Undefined for a filter that strings alone do not decide, such as one that also compares inodes. */
function decidingOperator({ operator, inode }: ValueFilter): DecidingOperator | undefined {
  if (operator === undefined || inode === true) return undefined;
  const deciding: Readonly<Partial<Record<Operator, DecidingOperator | undefined>>> = DECIDING_OPERATORS;
  return deciding[positiveOperator(operator)];
}

function filterStrings(filter: ValueFilter): string[] {
  return (filter.values ?? []).map(stripFinalNul);
}

function isStringFilter(filter: ValueFilter): boolean {
  return decidingOperator(filter) !== undefined;
}

function hasFewValues(...filters: ValueFilter[]): boolean {
  return filters.every((filter) => (filter.values ?? []).length <= COMPARED_VALUES_MAX);
}

/** True if every string that matches `value` of `filter` also matches `widerValue` of `wider`. */
function coversValue(wider: ValueFilter, widerValue: string, filter: ValueFilter, value: string): boolean {
  const own = decidingOperator(filter);
  switch (decidingOperator(wider)) {
    case 'Equal':
      return own === 'Equal' && value === widerValue;
    case 'Prefix':
      return (own === 'Equal' || own === 'Prefix') && value.startsWith(widerValue);
    case 'Postfix':
      return (own === 'Equal' || own === 'Postfix') && value.endsWith(widerValue);
    case undefined:
      return false;
  }
}

/** True if every value that passes `filter` also passes `wider`. False if that cannot be decided. */
export function implies(filter: ValueFilter, wider: ValueFilter, facts: TypeFacts): boolean {
  if (isSameFilter(filter, wider)) return true;
  if (!hasFewValues(filter, wider)) return false;
  if (isIntegerType(facts)) {
    const [inner, outer] = [filterIntervals(filter, facts), filterIntervals(wider, facts)];
    return inner !== undefined && outer !== undefined && isSubset(inner, outer);
  }
  if (!isStringFilter(filter) || !isStringFilter(wider) || isNegatedFilter(filter) !== isNegatedFilter(wider))
    return false;
  // Fewer values pass a negated filter that excludes more, so the two filters swap their roles.
  const [inner, outer] = isNegatedFilter(filter) ? [wider, filter] : [filter, wider];
  return filterStrings(inner).every((value) =>
    filterStrings(outer).some((other) => coversValue(outer, other, inner, value)),
  );
}

/** True if no value passes all filters. All filters must compare the same argument. */
export function areContradictory(filters: readonly ValueFilter[], facts: TypeFacts): boolean {
  if (!hasFewValues(...filters)) return false;
  if (isIntegerType(facts)) {
    const sets = filters.flatMap((filter) => [filterIntervals(filter, facts)]).filter((set) => set !== undefined);
    return (
      hasZeroMask(filters) ||
      (sets.length > 0 && sets.reduce((a: Intervals, b) => intersectIntervals(a, b)).length === 0)
    );
  }
  const stringFilters = filters.filter(isStringFilter);
  const positive = stringFilters.filter((filter) => !isNegatedFilter(filter));
  return positive.some(
    (filter) =>
      filterStrings(filter).length > 0 &&
      filterStrings(filter).every((value) => isExcluded(filter, value, stringFilters)),
  );
}

/** True if every value passes one of the two filters. */
export function coverEverything(a: ValueFilter, b: ValueFilter, facts: TypeFacts): boolean {
  const [first, second] = [positiveFilter(a), positiveFilter(b)];
  if (isNegatedFilter(a) && isNegatedFilter(b)) return areContradictory([first, second], facts);
  if (isNegatedFilter(a)) return implies(first, b, facts);
  return isNegatedFilter(b) && implies(second, a, facts);
}

function positiveFilter(filter: ValueFilter): ValueFilter {
  return filter.operator === undefined ? filter : { ...filter, operator: positiveOperator(filter.operator) };
}

/** True if another filter excludes every string that matches this value. */
function isExcluded(filter: ValueFilter, value: string, others: readonly ValueFilter[]): boolean {
  return others.some((other) => {
    if (other === filter) return false;
    if (isNegatedFilter(other))
      return filterStrings(other).some((excluded) => coversValue(other, excluded, filter, value));
    return filterStrings(other).every((otherValue) => !canMatchBoth(filter, value, other, otherValue));
  });
}

/** True if a string can match both values. */
function canMatchBoth(a: ValueFilter, x: string, b: ValueFilter, y: string): boolean {
  const [own, other] = [decidingOperator(a), decidingOperator(b)];
  if (own === 'Equal') return matchesValue(x, b, y);
  if (other === 'Equal') return matchesValue(y, a, x);
  // A string can have any prefix together with any suffix.
  if (own !== other) return true;
  switch (own) {
    case 'Prefix':
      return x.startsWith(y) || y.startsWith(x);
    case 'Postfix':
      return x.endsWith(y) || y.endsWith(x);
    case undefined:
      return true;
  }
}

function matchesValue(text: string, filter: ValueFilter, value: string): boolean {
  switch (decidingOperator(filter)) {
    case 'Equal':
      return text === value;
    case 'Prefix':
      return text.startsWith(value);
    case 'Postfix':
      return text.endsWith(value);
    case undefined:
      return true;
  }
}

function hasZeroMask(filters: readonly ValueFilter[]): boolean {
  return filters.some(
    (filter) =>
      filter.operator === 'Mask' &&
      (filter.values ?? []).length > 0 &&
      filter.values?.every((value) => /^0+(x0+)?$/i.test(value)) === true,
  );
}

export function isIntegerType(facts: TypeFacts): boolean {
  return facts.class === 'signed' || facts.class === 'unsigned';
}

/** True if the two filters are equal, except for the order of their values. */
export function isSameFilter(a: object, b: object): boolean {
  return canonicalForm(a) === canonicalForm(b);
}

const canonicalForms = new WeakMap<object, string>();

function canonicalForm(filter: object): string {
  const cached = canonicalForms.get(filter);
  if (cached !== undefined) return cached;
  const entries = Object.entries(filter).map(([key, value]): [string, unknown] => [
    key,
    Array.isArray(value) ? [...(value as unknown[])].map(String).sort() : value,
  ]);
  const text = JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  canonicalForms.set(filter, text);
  return text;
}
