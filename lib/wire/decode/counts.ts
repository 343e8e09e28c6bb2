/** Decodes the tables of Count actions: keys, sums and texts, as the addon reads them. Pure. */
import type { MetricBucket, MetricSum } from '../../../types/metrics.js';
import { AbiLimit, CountLabelKind, CountSum, CountTextKey } from '../layout.gen.js';
import { decodeString } from '../surrogate-escape.js';

/** The tables of a hook; see native/backend/bpf_backend.h. */
export interface HookSums {
  readonly keys: Buffer;
  readonly totals: Buffer;
  readonly texts: Buffer;
  readonly keySize: number;
  readonly sumSize: number;
}

/** The two words of a label in a key. */
export type LabelWords = readonly [bigint, bigint];

export interface CountRow {
  /** The index of the count in its hook. */
  readonly count: number;
  /** The words of as many labels as a key of the hook has. */
  readonly labels: readonly LabelWords[];
  readonly sum: RawSum;
}

export interface RawSum {
  readonly calls: bigint;
  readonly sum: bigint;
  /** Absent if the hook has no histogram. */
  readonly buckets?: readonly bigint[];
}

const WORD = 8;

/** A table can have 65,536 rows, so the caller takes them one by one. */
export function* decodeRows({ keys, keySize, sumSize }: HookSums): Generator<CountRow, void, void> {
  const stride = keySize + sumSize;
  if (keySize === 0) return;
  for (let at = 0; at + stride <= keys.length; at += stride) {
    const labels = Array.from({ length: (keySize / WORD - 1) / 2 }, (_label, n): LabelWords => {
      const word = at + WORD * (1 + 2 * n);
      return [keys.readBigUInt64LE(word), keys.readBigUInt64LE(word + WORD)];
    });
    const sum = decodeSum(keys, at + keySize, sumSize);
    yield { count: Number(keys.readBigUInt64LE(at)), labels, sum };
  }
}

/** The sums of the calls without a key, by the index of the count. */
export function decodeTotals({ totals, sumSize }: HookSums): RawSum[] {
  return Array.from({ length: Math.floor(totals.length / sumSize) }, (_, i) => decodeSum(totals, i * sumSize, sumSize));
}

function decodeSum(bytes: Buffer, at: number, size: number): RawSum {
  const calls = bytes.readBigUInt64LE(at + CountSum.calls);
  const sum = bytes.readBigUInt64LE(at + CountSum.sum);
  if (size < CountSum.sizeof) return { calls, sum };
  const buckets = Array.from({ length: AbiLimit.COUNT_BUCKETS }, (_, i) =>
    bytes.readBigUInt64LE(at + CountSum.buckets + WORD * i),
  );
  return { calls, sum, buckets };
}

/** Finds the text of a label, of a binary or of a value. */
export type FindText = (words: LabelWords, isBinary: boolean) => string | undefined;

/** Yields after each text, and returns the function that finds them. */
export function* decodeTexts({ texts }: HookSums): Generator<void, FindText, void> {
  const stride = CountTextKey.sizeof + AbiLimit.COUNT_TEXT_MAX;
  const found = new Map<string, string>();
  for (let at = 0; at + stride <= texts.length; at += stride) {
    const words: LabelWords = [texts.readBigUInt64LE(at), texts.readBigUInt64LE(at + WORD)];
    const start = at + CountTextKey.sizeof;
    const zero = texts.indexOf(0, start);
    const end = zero < 0 || zero > at + stride ? at + stride : zero;
    const isBinary = texts.readUInt32LE(at + CountTextKey.kind) === CountLabelKind.LABEL_BINARY;
    found.set(textKey(words, isBinary), decodeString(texts, start, end));
    yield;
  }
  return (words, isBinary) => found.get(textKey(words, isBinary));
}

const textKey = ([first, second]: LabelWords, isBinary: boolean): string => `${Number(isBinary)} ${first} ${second}`;

export const NO_CALLS: RawSum = { calls: 0n, sum: 0n };

export function addSums(a: RawSum, b: RawSum): RawSum {
  const [long = [], short = []] = (a.buckets ?? []).length > 0 ? [a.buckets, b.buckets] : [b.buckets, a.buckets];
  return {
    calls: a.calls + b.calls,
    sum: BigInt.asUintN(64, a.sum + b.sum),
    ...(long.length === 0 ? {} : { buckets: long.map((calls, i) => calls + (short[i] ?? 0n)) }),
  };
}

/** The sum as the public API has it. `hasBuckets`: it is of a histogram. */
export function toMetricSum({ calls, sum, buckets = [] }: RawSum, hasBuckets: boolean): MetricSum {
  return { calls, sum, ...(hasBuckets ? { buckets: buckets.flatMap(toBucket) } : {}) };
}

/** Bucket 0 has the value 0, bucket n the values from 2^(n-1) to 2^n - 1. The last one has all larger values. */
function toBucket(calls: bigint, index: number): MetricBucket[] {
  if (calls === 0n) return [];
  const bound = 1n << BigInt(index);
  const from = index === 0 ? 0n : bound / 2n;
  return [{ from, ...(index === AbiLimit.COUNT_BUCKETS - 1 ? {} : { to: index === 0 ? 0n : bound - 1n }), calls }];
}
