/** Records that the addon has copied. Offsets in a record are not trusted: every read checks them. */
import { decodeText } from './text.js';

/**
 * Some records, one after the other. At first they are in a buffer that many slabs share, and that is filled again and
 * again. Before that happens, leave() gives the slab bytes of its own. So an event that a program keeps holds only the
 * few records of its slab.
 */
export class Slab {
  #bytes: Buffer;
  #view: DataView;
  readonly #start: number;
  #end: number;
  /** Subtracted from each offset. */
  #base = 0;
  /** The bytes after leave() and before the next read, one character each: V8 makes and forgets a string for little. */
  #left: string | undefined;

  constructor(bytes: Buffer, view = viewOf(bytes), start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = view;
    this.#start = start;
    this.#end = end;
  }

  /** Number of bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds the bytes up to `end`. */
  extend(end: number): void {
    this.#end = end;
  }

  /** Says that the shared buffer will be filled with other records. Offsets stay the same. */
  leave(): void {
    this.#left = this.#bytes.latin1Slice(this.#start, this.#end);
    this.#bytes = NO_BYTES;
    this.#view = NO_VIEW;
  }

  #return(left: string): void {
    this.#bytes = Buffer.allocUnsafeSlow(left.length);
    this.#bytes.latin1Write(left, 0, left.length);
    this.#view = viewOf(this.#bytes);
    this.#base = this.#start;
    this.#left = undefined;
  }

  /** Must be called before #base is read. */
  get #read(): DataView {
    if (this.#left !== undefined) this.#return(this.#left);
    return this.#view;
  }

  /** Copies one record, for objects that outlive the slab. */
  copy(start: number, size: number): Slab {
    const bytes = Buffer.allocUnsafeSlow(size);
    this.bytes(start, start + size).copy(bytes);
    return new Slab(bytes);
  }

  u8(offset: number): number {
    return this.#read.getUint8(offset - this.#base);
  }

  i8(offset: number): number {
    return this.#read.getInt8(offset - this.#base);
  }

  u16(offset: number): number {
    return this.#read.getUint16(offset - this.#base, true);
  }

  i16(offset: number): number {
    return this.#read.getInt16(offset - this.#base, true);
  }

  u32(offset: number): number {
    return this.#read.getUint32(offset - this.#base, true);
  }

  i32(offset: number): number {
    return this.#read.getInt32(offset - this.#base, true);
  }

  u64(offset: number): bigint {
    return this.#read.getBigUint64(offset - this.#base, true);
  }

  i64(offset: number): bigint {
    return this.#read.getBigInt64(offset - this.#base, true);
  }

  text(start: number, length: number): string {
    if (this.#left !== undefined) this.#return(this.#left);
    return decodeText(this.#bytes, start - this.#base, start - this.#base + length);
  }

  /** The bytes themselves, which change when the slab's buffer is filled again. */
  bytes(start: number, end: number): Buffer {
    if (this.#left !== undefined) this.#return(this.#left);
    return this.#bytes.subarray(start - this.#base, end - this.#base);
  }
}

export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const NO_BYTES = Buffer.alloc(0);
const NO_VIEW = viewOf(NO_BYTES);

declare global {
  interface Buffer {
    /** Not documented but stable: toString() and write() call them after some checks. */
    latin1Slice(start: number, end: number): string;
    latin1Write(text: string, offset: number, length: number): number;
  }
}
