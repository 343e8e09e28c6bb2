/** Sets of integers as sorted ranges: the numbers that pass a filter. */
import type { ValueFilter } from './model.js';
import { limitToType, parseInteger, parseRange, typeRange, wrapToType, type Range } from './values.js';
import {
  isNegatedOperator,
  positiveOperator,
  type ExpressionOperator,
  type NumberOperator,
  type TypeFacts,
} from '../language/vocabulary.js';

export type Intervals = readonly Range[];

/** Returns the numbers that pass a filter. Returns undefined if it is not a plain comparison, or has a wrong value. */
export function filterIntervals(filter: ValueFilter, facts: TypeFacts): Intervals | undefined {
  const full = typeRange(facts);
  const ranges: Range[] = [];
  for (const value of filter.values ?? []) {
    const range = valueInterval(filter, value, full, facts);
    if (range === undefined) return undefined;
    ranges.push(range);
  }
  if (ranges.length === 0) return undefined;
  const merged = clampIntervals(ranges, full);
  return filter.operator !== undefined && isNegatedOperator(filter.operator)
    ? complementIntervals(merged, full)
    : merged;
}

function valueInterval({ operator }: ValueFilter, value: string, full: Range, facts: TypeFacts): Range | undefined {
  if (operator === undefined) return undefined;
  const base = positiveOperator(operator) as NumberOperator | ExpressionOperator; // the checks refuse others
  const literal = parseInteger(value);
  const number = literal === undefined ? undefined : wrapToType(facts, literal);
  const isInside = number !== undefined && number >= full.minimum && number <= full.maximum;
  switch (base) {
    case 'InRange':
    case 'InMap': {
      const range = parseRange(value);
      const limited = range === undefined ? undefined : limitToType(facts, range);
      return limited !== undefined && limited.minimum <= limited.maximum ? limited : undefined;
    }
    case 'Equal':
      return isInside ? { minimum: number, maximum: number } : undefined;
    case 'GreaterThan':
    case 'GT':
      return isInside ? { minimum: number + 1n, maximum: full.maximum } : undefined;
    case 'LessThan':
    case 'LT':
      return isInside ? { minimum: full.minimum, maximum: number - 1n } : undefined;
    case 'Mask':
    case 'CelExpr':
    case 'CapabilitiesGained':
      return undefined;
  }
}

function clampIntervals(ranges: readonly Range[], full: Range): Intervals {
  const inside = ranges
    .map(({ minimum, maximum }) => ({
      minimum: minimum < full.minimum ? full.minimum : minimum,
      maximum: maximum > full.maximum ? full.maximum : maximum,
    }))
    .filter(({ minimum, maximum }) => minimum <= maximum);
  return mergeIntervals(inside);
}

/** Sorts ranges and merges those that overlap or touch. */
export function mergeIntervals(ranges: Intervals): Intervals {
  const sorted = [...ranges].sort((a, b) => (a.minimum < b.minimum ? -1 : a.minimum > b.minimum ? 1 : 0));
  const merged: { minimum: bigint; maximum: bigint }[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && range.minimum <= last.maximum + 1n) {
      if (range.maximum > last.maximum) last.maximum = range.maximum;
    } else {
      merged.push({ ...range });
    }
  }
  return merged;
}

function complementIntervals(ranges: Intervals, full: Range): Intervals {
  const rest: Range[] = [];
  let from = full.minimum;
  for (const { minimum, maximum } of ranges) {
    if (from < minimum) rest.push({ minimum: from, maximum: minimum - 1n });
    from = maximum + 1n;
  }
  if (from <= full.maximum) rest.push({ minimum: from, maximum: full.maximum });
  return rest;
}

export function intersectIntervals(a: Intervals, b: Intervals): Intervals {
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

export function isFullRange(intervals: Intervals, facts: TypeFacts): boolean {
  return isSubset([typeRange(facts)], intervals);
}
