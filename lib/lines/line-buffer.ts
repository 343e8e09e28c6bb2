/** Bytes of lines. The buffer is used again for the next lines, and grows when it has to. */

const FIRST_BYTES = 64 * 1024;
/** A larger buffer is not kept for the next lines. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** The ASCII digits of each number of three digits. */
const THREE_DIGITS = Buffer.from(Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0')).join(''));
const ZERO = 0x30;
const MINUS = 0x2d;

export class LineBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Number of written bytes. The methods without a check need `reserve()` before. */
  end = 0;

  /** Discards the bytes. */
  reset(): void {
    this.end = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Makes space for so many bytes. */
  reserve(count: number): void {
    if (this.end + count <= this.bytes.length) return;
    const bytes = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.end + count));
    this.bytes.copy(bytes, 0, 0, this.end);
    this.bytes = bytes;
  }

  /** Without a check. */
  fragment(fragment: Uint8Array): void {
    this.bytes.set(fragment, this.end);
    this.end += fragment.length;
  }

  /** Writes an integer of at most 2^53 - 1 in decimal, without a check. */
  integer(value: number): void {
    const { bytes } = this;
    let rest = value;
    if (rest < 0) {
      bytes[this.end++] = MINUS;
      rest = -rest;
    }
    if (rest < 10) {
      bytes[this.end++] = ZERO + rest;
      return;
    }
    let digits = 1;
    for (let power = 10; rest >= power; power *= 10) digits += 1;
    for (let at = this.end + digits - 1; at >= this.end; at--) {
      const next = Math.floor(rest / 10);
      bytes[at] = ZERO + (rest - next * 10);
      rest = next;
    }
    this.end += digits;
  }

  /** Writes nine digits, without a check. */
  nanoseconds(value: number): void {
    const micros = (value / 1000) | 0;
    const millis = (micros / 1000) | 0;
    this.#threeDigits(millis);
    this.#threeDigits(micros - millis * 1000);
    this.#threeDigits(value - micros * 1000);
  }

  #threeDigits(value: number): void {
    const { bytes, end } = this;
    bytes[end] = THREE_DIGITS[3 * value] as number;
    bytes[end + 1] = THREE_DIGITS[3 * value + 1] as number;
    bytes[end + 2] = THREE_DIGITS[3 * value + 2] as number;
    this.end = end + 3;
  }

  /** Writes a string as UTF-8. A lone surrogate becomes U+FFFD. */
  text(text: string): void {
    // a UTF-16 code unit has at most three bytes
    this.reserve(3 * text.length);
    this.end += this.bytes.write(text, this.end);
  }
}
