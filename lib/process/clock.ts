/** Converts times of records (CLOCK_BOOTTIME) to times of day. */

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
   * The time of day can be set while the tracer runs. A smaller difference is only the jitter between reading the two
   * clocks. It is ignored, because it would give one moment two different times.
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

/** Many events have the same second, so the text of the last one is kept. */
let lastSecond = -1n;
let lastText = '';

/** Formats a time as RFC 3339 in UTC with nanoseconds. */
export function formatTime(epochNs: bigint): string {
  const second = epochNs / NS_PER_SECOND;
  if (second !== lastSecond) {
    lastText = new Date(Number(second) * 1000).toISOString().slice(0, 19);
    lastSecond = second;
  }
  const rest = epochNs - second * NS_PER_SECOND;
  return `${lastText}.${rest.toString().padStart(9, '0')}Z`;
}
