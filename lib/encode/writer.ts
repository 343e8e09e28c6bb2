/**
 * Writes protobuf from the end to the beginning, the last field first. A message is written before its length, so the
 * length is known and nothing is moved or measured twice.
 */
import { encodeString, hasRawBytes } from '../wire/surrogate-escape.js';
import { RAW_BYTES, RAW_BYTES_TAG } from './raw-bytes.js';

const FIRST_BYTES = 64 * 1024;
/** Node.js writes longer strings. For short ones a loop is faster. */
const SHORT_STRING = 48;

export class Writer {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Offset of the first written byte. The written bytes end at the end of `#bytes`. */
  #at = FIRST_BYTES;

  /** Starts a new message and discards the last one. */
  reset(): void {
    this.#at = this.#bytes.length;
  }

  /** Number of written bytes. `message` takes the value from before its content was written. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** Copies the written bytes to the target, and returns the offset after them. */
  copyTo(target: Buffer, at: number): number {
    return at + this.#bytes.copy(target, at, this.#at);
  }

  /** The written bytes, until the next ones are written. */
  get written(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  /** Returns a copy of the written bytes. */
  take(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, this.#at);
  }

  #reserve(size: number): number {
    if (this.#at < size) this.#grow(size);
    return (this.#at -= size);
  }

  #grow(size: number): void {
    const used = this.length;
    const bytes = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#bytes.length + size));
    this.#bytes.copy(bytes, bytes.length - used, this.#at);
    this.#bytes = bytes;
    this.#at = bytes.length - used;
  }

  /** Writes an integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    if (value < 0x80) {
      const at = this.#reserve(1);
      this.#bytes[at] = value;
    } else if (value < 0x4000) {
      const at = this.#reserve(2);
      this.#bytes[at] = (value & 0x7f) | 0x80;
      this.#bytes[at + 1] = value >>> 7;
    } else {
      let size = 2;
      for (let rest = Math.floor(value / 0x4000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
      let at = this.#reserve(size);
      let left = value;
      for (; size > 1; size--) {
        this.#bytes[at++] = (left % 0x80) | 0x80;
        left = Math.floor(left / 0x80);
      }
      this.#bytes[at] = left;
    }
  }

  /** Writes an integer of 64 bits. A negative one takes ten bytes. */
  long(value: bigint): void {
    if (value >= 0n && value <= 0x1fffffffffffffn) {
      this.varint(Number(value));
      return;
    }
    const bytes: number[] = [];
    let left = BigInt.asUintN(64, value);
    for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
    bytes.push(Number(left));
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Omits a field that is zero, as proto3 does. */
  uint(tag: number, value: number): void {
    if (value !== 0) this.uintAlways(tag, value);
  }

  uintAlways(tag: number, value: number): void {
    this.varint(value);
    this.varint(tag);
  }

  /** Writes a signed integer of 32 bits. */
  int(tag: number, value: number): void {
    if (value >= 0) this.varint(value);
    else this.long(BigInt(value));
    this.varint(tag);
  }

  ulong(tag: number, value: bigint): void {
    if (value !== 0n) this.longAlways(tag, value);
  }

  longAlways(tag: number, value: bigint): void {
    this.long(value);
    this.varint(tag);
  }

  bool(tag: number, value: boolean): void {
    if (value) this.uintAlways(tag, 1);
  }

  double(tag: number, value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleLE(value, at);
    this.varint(tag);
  }

  string(tag: number, value: string): void {
    if (value !== '') this.stringAlways(tag, value);
  }

  /**
   * A lone surrogate, which stands for a byte that is not UTF-8, becomes U+FFFD: protobuf allows only UTF-8. The message
   * gets the bytes in another field. `index`: the position in a list.
   */
  stringAlways(tag: number, value: string, index = 0): void {
    const size = value.length < SHORT_STRING && this.#writeAscii(value) ? value.length : this.#writeUtf8(value);
    this.varint(size);
    this.varint(tag);
    if (size !== value.length && hasRawBytes(value)) this.#writeRawBytes(tag, value, index);
  }

  #writeAscii(value: string): boolean {
    const start = this.#reserve(value.length);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        this.#at += value.length;
        return false;
      }
      this.#bytes[start + i] = code;
    }
    return true;
  }

  #writeUtf8(value: string): number {
    const size = Buffer.byteLength(value);
    const at = this.#reserve(size);
    if (size === value.length) this.#bytes.write(value, at, size, 'latin1');
    else this.#bytes.write(value, at, size, 'utf8');
    return size;
  }

  #writeRawBytes(tag: number, value: string, index: number): void {
    const end = this.length;
    this.bytes(RAW_BYTES.value, encodeString(value));
    this.uint(RAW_BYTES.index, index);
    this.uint(RAW_BYTES.field, tag >>> 3);
    this.message(RAW_BYTES_TAG, end);
  }

  strings(tag: number, values: readonly string[]): void {
    for (let i = values.length - 1; i >= 0; i--) this.stringAlways(tag, values[i] as string, i);
  }

  bytes(tag: number, value: Uint8Array): void {
    this.raw(value);
    this.varint(value.length);
    this.varint(tag);
  }

  /** Writes encoded fields. */
  raw(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
  }

  /** Turns the bytes that were written since the length was `before` into a message field. */
  message(tag: number, before: number): void {
    this.varint(this.length - before);
    this.varint(tag);
  }

  /** Writes a wrapper of google.protobuf: a number that can be zero and present. */
  wrapper(tag: number, value: number): void {
    const before = this.length;
    this.uint(WRAPPER_VALUE, value);
    this.message(tag, before);
  }
}

/** Field 1, a varint: the value of a wrapper. */
export const WRAPPER_VALUE = 8;
/** Field 1, bytes: the value of a StringValue. */
export const STRING_VALUE = 10;
