/** Converts times of records (CLOCK_BOOTTIME) to times of day. */

const NS_PER_SECOND = 1_000_000_000;
const SECOND = 1_000_000_000n;

const CLOCK_SET_NS = 1_000_000n;

export class Clock {
  #offset: bigint;
  /** The offset as whole seconds, and the nanoseconds above them. */
  #seconds = 0;
  #nanoseconds = 0;
  readonly #read: () => bigint;

  constructor(readOffset: () => bigint) {
    this.#read = readOffset;
    this.#offset = readOffset();
    this.#divideOffset();
  }

  /**
   * Updates the offset, because the time of day can be set while the tracer runs. A smaller difference is only the
   * jitter between reading the two clocks. It is ignored: otherwise one moment would have two different times.
   */
  refresh(): void {
    const offset = this.#read();
    const change = offset - this.#offset;
    if (change <= CLOCK_SET_NS && change >= -CLOCK_SET_NS) return;
    this.#offset = offset;
    this.#divideOffset();
  }

  #divideOffset(): void {
    const below = ((this.#offset % SECOND) + SECOND) % SECOND;
    this.#nanoseconds = Number(below);
    this.#seconds = Number((this.#offset - below) / SECOND);
  }

  /**
   * The parts of the offset, for a reader that converts many times without a bigint: seconds, which may be negative, and
   * nanoseconds from 0 up to a second.
   */
  get offsetSeconds(): number {
    return this.#seconds;
  }
  get offsetNanoseconds(): number {
    return this.#nanoseconds;
  }

  toEpoch(bootNs: bigint): bigint {
    return bootNs + this.#offset;
  }

  now(): bigint {
    return BigInt(Date.now()) * 1_000_000n;
  }
}

/** The last formatted second, because many events have the same one: its start in nanoseconds, and its string. */
let lastSecond = 0n;
let lastSecondText = '1970-01-01T00:00:00.';

/** Formatted numbers of three digits. V8 needs longer to format a number that it has not formatted recently. */
const THREE_DIGITS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'));

/** Formats a time as RFC 3339 in UTC with nanoseconds. */
export function formatTime(epochNs: bigint): string {
  let rest = Number(epochNs - lastSecond);
  if (!(rest >= 0 && rest < NS_PER_SECOND)) {
    const seconds = epochNs / BigInt(NS_PER_SECOND);
    lastSecond = seconds * BigInt(NS_PER_SECOND);
    lastSecondText = `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.`;
    rest = Number(epochNs - lastSecond);
  }
  const micros = (rest / 1000) | 0;
  const millis = (micros / 1000) | 0;
  const fraction = `${THREE_DIGITS[millis]}${THREE_DIGITS[micros - millis * 1000]}${THREE_DIGITS[rest - micros * 1000]}Z`;
  return lastSecondText + fraction;
}
