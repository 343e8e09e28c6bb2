/** Times of records (CLOCK_BOOTTIME) as times of day. */

const NS_PER_SECOND = 1_000_000_000n;

const SET_NS = 1_000_000n;

export class Clock {
  #offset: bigint;
  readonly #read: () => bigint;

  constructor(readOffset: () => bigint) {
    this.#read = readOffset;
    this.#offset = readOffset();
  }

  /**
   * The time of day may be set while we run. Less than that is the jitter of reading two clocks one after the other, and
   * would give one moment two times.
   */
  refresh(): void {
    const offset = this.#read();
    const change = offset - this.#offset;
    if (change > SET_NS || change < -SET_NS) this.#offset = offset;
  }

  toEpoch(bootNs: bigint): bigint {
    return bootNs + this.#offset;
  }

  now(): bigint {
    return BigInt(Date.now()) * 1_000_000n;
  }
}

/** RFC 3339 in UTC with nanoseconds. */
export function formatTime(epochNs: bigint): string {
  const seconds = epochNs / NS_PER_SECOND;
  const rest = epochNs - seconds * NS_PER_SECOND;
  const date = new Date(Number(seconds) * 1000).toISOString();
  return `${date.slice(0, 19)}.${rest.toString().padStart(9, '0')}Z`;
}
