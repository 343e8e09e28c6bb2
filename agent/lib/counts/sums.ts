/** Sums of counts as lists of numbers: calls and sum, or for a histogram sum and buckets. */
import type { Metric, MetricSum } from 'polytrace';

/** Number of buckets of a histogram. The last one has all larger values. */
export const BUCKETS = 48;

/** [calls, sum], or [sum, calls of bucket 0, of bucket 1, …]. */
export type Numbers = readonly bigint[];

export interface ReadableSum {
  readonly calls: bigint;
  readonly sum: bigint;
  /** Calls of each bucket. Empty without a histogram. Bucket n has values below 2^n, and the last one all larger values. */
  readonly buckets: Numbers;
}

export function numbersLength(kind: Metric['kind']): number {
  return kind === 'histogram' ? 1 + BUCKETS : 2;
}

export function toNumbers(kind: Metric['kind'], { calls, sum, buckets = [] }: MetricSum): bigint[] {
  if (kind !== 'histogram') return [calls, sum];
  const numbers = new Array<bigint>(1 + BUCKETS).fill(0n);
  numbers[0] = sum;
  for (const { from, calls: count } of buckets) {
    const index = from === 0n ? 0 : from.toString(2).length;
    numbers[1 + Math.min(index, BUCKETS - 1)] = count;
  }
  return numbers;
}

/** The calls of a histogram are those of its buckets: the kernel may count a call while both are read. */
export function toReadableSum(kind: Metric['kind'], numbers: Numbers): ReadableSum {
  if (kind !== 'histogram') return { calls: numbers[0] ?? 0n, sum: numbers[1] ?? 0n, buckets: [] };
  const buckets = numbers.slice(1);
  return { calls: buckets.reduce((all, each) => all + each, 0n), sum: numbers[0] ?? 0n, buckets };
}

/** Largest value of a bucket; undefined for the last one. Values are integers, so this bound is exact. */
export function bucketBound(index: number): bigint | undefined {
  return index >= BUCKETS - 1 ? undefined : (1n << BigInt(index)) - 1n;
}

const NANOSECONDS = 1_000_000_000n;

/** Formats an exact number. A duration in nanoseconds becomes seconds, as monitoring systems have it. */
export function formatValue(value: bigint, isDuration: boolean): string {
  if (!isDuration) return String(value);
  const fraction = String(value % NANOSECONDS)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${value / NANOSECONDS}${fraction === '' ? '' : `.${fraction}`}`;
}
