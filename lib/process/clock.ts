/** Converts times of records (CLOCK_BOOTTIME) to times of day. */

const NS_PER_SECOND = 1_000_000_000;

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

/** Many events have the same second, so the last one is kept: its beginning in nanoseconds, and its text. */
let second = 0n;
let secondText = '1970-01-01T00:00:00.';

/** The texts of three digits. V8 needs longer to write a number that it has not written lately. */
const DIGITS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'));

/** Formats a time as RFC 3339 in UTC with nanoseconds. */
export function formatTime(epochNs: bigint): string {
  let rest = Number(epochNs - second);
  if (!(rest >= 0 && rest < NS_PER_SECOND)) {
    const seconds = epochNs / BigInt(NS_PER_SECOND);
    second = seconds * BigInt(NS_PER_SECOND);
    secondText = `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.`;
    rest = Number(epochNs - second);
  }
  const micros = (rest / 1000) | 0;
  const millis = (micros / 1000) | 0;
  const fraction = `${DIGITS[millis]}${DIGITS[micros - millis * 1000]}${DIGITS[rest - micros * 1000]}Z`;
  return secondText + fraction;
}
