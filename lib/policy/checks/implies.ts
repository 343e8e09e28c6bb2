/** What follows from what among filters: the base for telling that a selector can never match or never be reached. */
import { intervalsOf, intersect, isSubset, type Intervals } from '../model/intervals.js';
import type { ValueFilter } from '../model/model.js';
import { withoutFinalNul } from '../model/values.js';
import { NEGATED, type Operator, type TypeFacts } from '../language/vocabulary.js';

/** Filters with more values than this are not compared with each other. */
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

/** Of a filter that looks at inodes as well nothing follows from the texts. */
function isText(filter: ValueFilter): boolean {
  if (filter.inode === true) return false;
  const base = baseOf(filter);
  return base === 'Equal' || base === 'Prefix' || base === 'Postfix';
}

function isSmall(...filters: ValueFilter[]): boolean {
  return filters.every((filter) => (filter.values ?? []).length <= VALUES_MAX);
}

/** Whether every text that fits `value` of `filter` fits `value` of `wider`. */
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

/** Whether whatever passes `filter` passes `wider` as well; false where that cannot be told. */
export function implies(filter: ValueFilter, wider: ValueFilter, facts: TypeFacts): boolean {
  if (sameFilter(filter, wider)) return true;
  if (!isSmall(filter, wider)) return false;
  if (isNumber(facts)) {
    const [inner, outer] = [intervalsOf(filter, facts), intervalsOf(wider, facts)];
    return inner !== undefined && outer !== undefined && isSubset(inner, outer);
  }
  if (!isText(filter) || !isText(wider) || isNegated(filter) !== isNegated(wider)) return false;
  // Excluding more is narrower: the roles change.
  const [inner, outer] = isNegated(filter) ? [wider, filter] : [filter, wider];
  return textsOf(inner).every((value) => textsOf(outer).some((other) => covers(outer, other, inner, value)));
}

/** Whether nothing passes all of the filters, which are about the same argument. */
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

/** Whether no text that fits this value passes all the other filters. */
function isExcluded(filter: ValueFilter, value: string, others: readonly ValueFilter[]): boolean {
  return others.some((other) => {
    if (other === filter) return false;
    if (isNegated(other)) return textsOf(other).some((excluded) => covers(other, excluded, filter, value));
    return textsOf(other).every((wanted) => !canBoth(filter, value, other, wanted));
  });
}

/** Whether one text can fit both values. */
function canBoth(a: ValueFilter, x: string, b: ValueFilter, y: string): boolean {
  if (baseOf(a) === 'Equal') return fits(x, b, y);
  if (baseOf(b) === 'Equal') return fits(y, a, x);
  // A beginning and an end always go together.
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

/** The same words, whatever the order of values. */
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
