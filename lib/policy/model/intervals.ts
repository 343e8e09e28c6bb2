/** Sets of whole numbers as sorted ranges: the numbers that pass a filter. */
import type { ValueFilter } from './model.js';
import { parseInteger, parseRange, rangeOf, valueOf, type Range } from './values.js';
import type { Operator, TypeFacts } from '../language/vocabulary.js';

export type Intervals = readonly Range[];

/** Returns undefined if the filter is not a plain comparison, or a value cannot be parsed. */
export function intervalsOf(filter: ValueFilter, facts: TypeFacts): Intervals | undefined {
  const whole = rangeOf(facts);
  const ranges: Range[] = [];
  for (const value of filter.values ?? []) {
    const range = rangeOfValue(filter, value, whole, facts);
    if (range === undefined) return undefined;
    ranges.push(range);
  }
  if (ranges.length === 0) return undefined;
  const joined = normalise(ranges, whole);
  return filter.operator?.startsWith('Not') === true ? complement(joined, whole) : joined;
}

const RANGED: ReadonlySet<string> = new Set<Operator>(['InRange', 'NotInRange', 'InMap', 'NotInMap']);

function rangeOfValue({ operator }: ValueFilter, value: string, whole: Range, facts: TypeFacts): Range | undefined {
  const range = operator !== undefined && RANGED.has(operator) ? parseRange(value) : undefined;
  if (range !== undefined) return range.minimum <= range.maximum ? range : undefined;
  const written = parseInteger(value);
  const number = written === undefined ? undefined : valueOf(facts, written);
  if (number === undefined || number < whole.minimum || number > whole.maximum) return undefined;
  switch (operator) {
    case 'Equal':
    case 'NotEqual':
      return { minimum: number, maximum: number };
    case 'GreaterThan':
    case 'GT':
      return { minimum: number + 1n, maximum: whole.maximum };
    case 'LessThan':
    case 'LT':
      return { minimum: whole.minimum, maximum: number - 1n };
    default:
      return undefined;
  }
}

function normalise(ranges: readonly Range[], whole: Range): Intervals {
  const inside = ranges
    .map(({ minimum, maximum }) => ({
      minimum: minimum < whole.minimum ? whole.minimum : minimum,
      maximum: maximum > whole.maximum ? whole.maximum : maximum,
    }))
    .filter(({ minimum, maximum }) => minimum <= maximum);
  return join(inside);
}

/** Sorts ranges and merges those that overlap or touch. */
export function join(ranges: Intervals): Intervals {
  const sorted = [...ranges].sort((a, b) => (a.minimum < b.minimum ? -1 : a.minimum > b.minimum ? 1 : 0));
  const joined: { minimum: bigint; maximum: bigint }[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.minimum <= last.maximum + 1n) {
      if (range.maximum > last.maximum) last.maximum = range.maximum;
    } else {
      joined.push({ ...range });
    }
  }
  return joined;
}

function complement(ranges: Intervals, whole: Range): Intervals {
  const rest: Range[] = [];
  let from = whole.minimum;
  for (const { minimum, maximum } of ranges) {
    if (from < minimum) rest.push({ minimum: from, maximum: minimum - 1n });
    from = maximum + 1n;
  }
  if (from <= whole.maximum) rest.push({ minimum: from, maximum: whole.maximum });
  return rest;
}

export function intersect(a: Intervals, b: Intervals): Intervals {
  const both: Range[] = [];
  for (const one of a) {
    for (const other of b) {
      const minimum = one.minimum > other.minimum ? one.minimum : other.minimum;
      const maximum = one.maximum < other.maximum ? one.maximum : other.maximum;
      if (minimum <= maximum) both.push({ minimum, maximum });
    }
  }
  return both;
}

export function isSubset(inner: Intervals, outer: Intervals): boolean {
  return inner.every((range) =>
    outer.some((other) => other.minimum <= range.minimum && range.maximum <= other.maximum),
  );
}

export function isWhole(intervals: Intervals, facts: TypeFacts): boolean {
  return isSubset([rangeOf(facts)], intervals);
}
