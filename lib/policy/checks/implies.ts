/** Decides which filters imply which others. The warnings about selectors that can never match are based on it. */
import { intervalsOf, intersect, isSubset, type Intervals } from '../model/intervals.js';
import type { ValueFilter } from '../model/model.js';
import { withoutFinalNul } from '../model/values.js';
import { NEGATED, type Operator, type TypeFacts } from '../language/vocabulary.js';

/** Filters with more values than this are not compared with each other, because it would take too long. */
const VALUES_MAX = 512;

function isNegated(filter: ValueFilter): boolean {
  return filter.operator !== undefined && NEGATED[filter.operator] !== undefined;
}

function baseOf(filter: ValueFilter): Operator | undefined {
  return filter.operator === undefined ? undefined : (NEGATED[filter.operator] ?? filter.operator);
}

function textsOf(filter: ValueFilter): string[] {
  return (filter.values ?? []).map(withoutFinalNul);
}

/** False for a filter that also compares inodes: its texts alone do not decide what it matches. */
function isText(filter: ValueFilter): boolean {
  if (filter.inode === true) return false;
  const base = baseOf(filter);
  return base === 'Equal' || base === 'Prefix' || base === 'Postfix';
}

function isSmall(...filters: ValueFilter[]): boolean {
  return filters.every((filter) => (filter.values ?? []).length <= VALUES_MAX);
}

/** True if every text that matches `value` of `filter` also matches `widerValue` of `wider`. */
function covers(wider: ValueFilter, widerValue: string, filter: ValueFilter, value: string): boolean {
  switch (baseOf(wider)) {
    case 'Equal':
      return baseOf(filter) === 'Equal' && value === widerValue;
    case 'Prefix':
      return baseOf(filter) !== 'Postfix' && value.startsWith(widerValue);
    default:
      return baseOf(filter) !== 'Prefix' && value.endsWith(widerValue);
  }
}

/** True if everything that passes `filter` also passes `wider`. False if that cannot be decided. */
export function implies(filter: ValueFilter, wider: ValueFilter, facts: TypeFacts): boolean {
  if (sameFilter(filter, wider)) return true;
  if (!isSmall(filter, wider)) return false;
  if (isNumber(facts)) {
    const [inner, outer] = [intervalsOf(filter, facts), intervalsOf(wider, facts)];
    return inner !== undefined && outer !== undefined && isSubset(inner, outer);
  }
  if (!isText(filter) || !isText(wider) || isNegated(filter) !== isNegated(wider)) return false;
  // A negated filter that excludes more lets less through, so the two filters swap their roles.
  const [inner, outer] = isNegated(filter) ? [wider, filter] : [filter, wider];
  return textsOf(inner).every((value) => textsOf(outer).some((other) => covers(outer, other, inner, value)));
}

/** True if no value passes all of the filters. All of them compare the same argument. */
export function areContradictory(filters: readonly ValueFilter[], facts: TypeFacts): boolean {
  if (!isSmall(...filters)) return false;
  if (isNumber(facts)) {
    const sets = filters.flatMap((filter) => [intervalsOf(filter, facts)]).filter((set) => set !== undefined);
    return hasZeroMask(filters) || (sets.length > 0 && sets.reduce((a: Intervals, b) => intersect(a, b)).length === 0);
  }
  const texts = filters.filter(isText);
  const positive = texts.filter((filter) => !isNegated(filter));
  return positive.some(
    (filter) => textsOf(filter).length > 0 && textsOf(filter).every((value) => isExcluded(filter, value, texts)),
  );
}

/** True if no text that matches this value passes all the other filters. */
function isExcluded(filter: ValueFilter, value: string, others: readonly ValueFilter[]): boolean {
  return others.some((other) => {
    if (other === filter) return false;
    if (isNegated(other)) return textsOf(other).some((excluded) => covers(other, excluded, filter, value));
    return textsOf(other).every((wanted) => !canBoth(filter, value, other, wanted));
  });
}

/** True if one text can match both values. */
function canBoth(a: ValueFilter, x: string, b: ValueFilter, y: string): boolean {
  if (baseOf(a) === 'Equal') return fits(x, b, y);
  if (baseOf(b) === 'Equal') return fits(y, a, x);
  // A text can always have both this beginning and this end.
  if (baseOf(a) !== baseOf(b)) return true;
  return baseOf(a) === 'Prefix' ? x.startsWith(y) || y.startsWith(x) : x.endsWith(y) || y.endsWith(x);
}

function fits(text: string, filter: ValueFilter, value: string): boolean {
  const base = baseOf(filter);
  return base === 'Equal' ? text === value : base === 'Prefix' ? text.startsWith(value) : text.endsWith(value);
}

function hasZeroMask(filters: readonly ValueFilter[]): boolean {
  return filters.some(
    (filter) =>
      filter.operator === 'Mask' &&
      (filter.values ?? []).length > 0 &&
      filter.values?.every((value) => /^0+(x0+)?$/i.test(value)) === true,
  );
}

export function isNumber(facts: TypeFacts): boolean {
  return facts.class === 'signed' || facts.class === 'unsigned';
}

/** True if the two filters are equal except for the order of their values. */
export function sameFilter(a: object, b: object): boolean {
  return canonical(a) === canonical(b);
}

const canonicals = new WeakMap<object, string>();

function canonical(filter: object): string {
  const known = canonicals.get(filter);
  if (known !== undefined) return known;
  const entries = Object.entries(filter).map(([key, value]): [string, unknown] => [
    key,
    Array.isArray(value) ? [...(value as unknown[])].map(String).sort() : value,
  ]);
  const text = JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  canonicals.set(filter, text);
  return text;
}
