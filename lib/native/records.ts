/** Decodes the lists of numbers that the addon returns. */

/** Number of lost records of one hook, by reason. */
export interface HookLosses {
  readonly hook: number;
  /** The ring buffer was full. */
  readonly ring: number;
  /** The map that keeps the values of the entry until the return was full. */
  readonly pending: number;
  /** The kernel did not report the return. */
  readonly unreturned: number;
}

export interface MissedRuns {
  readonly hook: number;
  readonly count: number;
}

/** `matched`, `suppressed` and `enforced` are counted only for hooks with actions, and `hits` only on request. */
export interface HookCounters {
  readonly matched: number;
  readonly suppressed: number;
  readonly enforced: number;
  readonly hits: number;
}

/** A call whose entry an earlier tracer has recorded. */
export interface PendingCall {
  readonly hook: number;
  /** CLOCK_BOOTTIME of the entry. */
  readonly time: bigint;
}

/** Decodes [hook, ring, pending, unreturned, …]. */
export function decodeLosses(raw: readonly number[]): HookLosses[] {
  return splitIntoGroups(4, raw).map(([hook = 0, ring = 0, pending = 0, unreturned = 0]) => ({
    hook,
    ring,
    pending,
    unreturned,
  }));
}

/** Decodes [hook, count, …]. */
export function decodeMissedRuns(raw: readonly number[]): MissedRuns[] {
  return splitIntoGroups(2, raw).map(([hook = 0, count = 0]) => ({ hook, count }));
}

/** Decodes [matched, suppressed, enforced, hits]. */
export function decodeCounters(raw: readonly number[]): HookCounters {
  return { matched: raw[0] ?? 0, suppressed: raw[1] ?? 0, enforced: raw[2] ?? 0, hits: raw[3] ?? 0 };
}

/** Decodes [hook, time of the entry, …]. */
export function decodePendingCalls(raw: readonly (number | bigint)[]): PendingCall[] {
  return splitIntoGroups(2, raw).map(([hook, time]) => ({ hook: hook as number, time: time as bigint }));
}

/** Decodes [hook, value, …]. */
export function decodeByHook<T>(raw: readonly (number | T)[]): Map<number, T> {
  return new Map(splitIntoGroups(2, raw) as [number, T][]);
}

function splitIntoGroups<T>(size: number, list: readonly T[]): T[][] {
  return Array.from({ length: Math.floor(list.length / size) }, (_, i) => list.slice(size * i, size * (i + 1)));
}
