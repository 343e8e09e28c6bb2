/** The lists of numbers that the addon returns, as records. */

/** Records of one hook that were lost, by the thing that was missing. */
export interface HookLosses {
  readonly hook: number;
  /** Room in the ring buffer. */
  readonly ring: number;
  /** A place that keeps the values of the entry until the return. */
  readonly pending: number;
  /** The return itself: the kernel did not report it. */
  readonly unreturned: number;
}

export interface MissedRuns {
  readonly hook: number;
  readonly count: number;
}

/** `matched`, `suppressed` and `enforced` are counted for hooks with actions only; `hits` where the tracer counts hits. */
export interface HookCounters {
  readonly matched: number;
  readonly suppressed: number;
  readonly enforced: number;
  readonly hits: number;
}

/** What an earlier tracer left unread under one of its hooks. */
export interface UnreadPins {
  readonly id: number;
  readonly count: number;
  /** As given to nameHook(). */
  readonly name: string;
}

/** [hook, ring, pending, unreturned, …] */
export function losses(raw: readonly number[]): HookLosses[] {
  return groupsOf(4, raw).map(([hook = 0, ring = 0, pending = 0, unreturned = 0]) => ({
    hook,
    ring,
    pending,
    unreturned,
  }));
}

/** [hook, count, …] */
export function missedRuns(raw: readonly number[]): MissedRuns[] {
  return groupsOf(2, raw).map(([hook = 0, count = 0]) => ({ hook, count }));
}

/** [matched, suppressed, enforced, hits] */
export function counters([matched = 0, suppressed = 0, enforced = 0, hits = 0]: readonly number[]): HookCounters {
  return { matched, suppressed, enforced, hits };
}

/** [hook, records that nobody has read, name of the hook, …]; null where the pins have another layout. */
export function unreadPins(raw: readonly (number | string)[] | null): UnreadPins[] | null {
  if (raw === null) return null;
  return groupsOf(3, raw).map((group) => {
    const [id, count, name] = group as [number, number, string];
    return { id, count, name };
  });
}

function groupsOf<T>(size: number, list: readonly T[]): T[][] {
  return Array.from({ length: Math.floor(list.length / size) }, (_, i) => list.slice(size * i, size * (i + 1)));
}
