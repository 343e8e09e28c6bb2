/** Durations in powers of two, and their drawing. */
import type { NamedHistogram } from './tracer.js';
import { formatDuration } from './values.js';

/** 2^40 microseconds are twelve days. */
const BUCKETS = 40;

/** Counts durations in units of a microsecond. */
export class Histogram {
  static readonly unitNs = 1000n;
  readonly #counts: number[] = Array.from({ length: BUCKETS }, () => 0);
  count = 0;
  maximumNs = 0n;

  add(ns: bigint): void {
    const microseconds = Math.max(Number(ns / 1000n), 1);
    const bucket = Math.min(Math.floor(Math.log2(microseconds)), BUCKETS - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.count += 1;
    if (ns > this.maximumNs) this.maximumNs = ns;
  }

  /** The counts up to the last one that is not 0. */
  get counts(): readonly number[] {
    return this.#counts.slice(0, this.#counts.findLastIndex((count) => count > 0) + 1);
  }

  /** The upper end of the bucket in which this part of all durations is reached, and at most the longest one. */
  quantileNs(part: number): bigint {
    let left = this.count * part;
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0 && count > 0) {
        const end = 2n ** BigInt(bucket + 1) * 1000n;
        return end < this.maximumNs && bucket < BUCKETS - 1 ? end : this.maximumNs;
      }
    }
    return this.maximumNs;
  }
}

const LABEL = 19;
const COUNT = 8;

/** A line for each bucket from the first to the last one with a count. */
export function drawHistogram({ name, counts, unitNs }: NamedHistogram, width: number): string {
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return '';
  const most = Math.max(...counts);
  const room = Math.max(width - LABEL - COUNT - 6, 4);
  const lines = counts.slice(first).map((count, i) => {
    const bucket = first + i;
    const label = `${bucket === 0 ? '0' : bucketEnd(bucket, unitNs)} to ${bucketEnd(bucket + 1, unitNs)}`;
    const bar = '#'.repeat(Math.ceil((count / most) * room));
    return `  ${label.padStart(LABEL)} ${String(count).padStart(COUNT)} |${bar}\n`;
  });
  return `${name}\n${lines.join('')}`;
}

function bucketEnd(power: number, unitNs: bigint): string {
  return formatDuration(2n ** BigInt(power) * unitNs);
}
