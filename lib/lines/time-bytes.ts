/** Writes times of records as formatTime() formats them, without a bigint and without a string. */
import type { Clock } from '../process/clock.js';
import type { LineBuffer } from './line-buffer.js';

/** Bytes of a time: `2026-11-29T02:50:22.123456789Z`. A year after 9999 has two bytes more. */
export const TIME_BYTES = 34;

const NS_PER_SECOND = 1_000_000_000;
/** 2^32 nanoseconds are so many seconds, and so many nanoseconds more. */
const SECONDS_OF_HIGH = 4;
const NS_OF_HIGH = 2 ** 32 - SECONDS_OF_HIGH * NS_PER_SECOND;
/** Above, the sum of nanoseconds is not exact: more than two years after the start of the machine. */
const HIGH_MAX = 2 ** 24;
const Z = 0x5a;

export class TimeWriter {
  #second = NaN;
  /** The second, with the point. */
  #text = Buffer.alloc(0);

  /**
   * Writes CLOCK_BOOTTIME, which has two halves, as RFC 3339. Returns false for a time that has to be formatted in
   * another way.
   */
  write(to: LineBuffer, low: number, high: number, clock: Clock): boolean {
    if (high > HIGH_MAX) return false;
    const ns = high * NS_OF_HIGH + low + clock.offsetNanoseconds;
    const carry = Math.floor(ns / NS_PER_SECOND);
    const second = high * SECONDS_OF_HIGH + clock.offsetSeconds + carry;
    if (second < 0) return false;
    if (second !== this.#second) {
      this.#text = Buffer.from(`${new Date(second * 1000).toISOString().slice(0, 19)}.`);
      this.#second = second;
    }
    to.fragment(this.#text);
    to.nanoseconds(ns - carry * NS_PER_SECOND);
    to.bytes[to.end++] = Z;
    return true;
  }
}
