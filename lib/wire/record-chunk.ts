/**
 * Reads the records that the addon copied from the ring buffer. Every read checks its offset: a record is not trusted.
 */
import { decodeString } from './surrogate-escape.js';
import { youngArray } from './young-array.js';

/** A buffer whose bytes several record chunks share. */
export class RecordBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** The chunks that detachChunks() copies. */
  readonly chunks = youngArray<RecordChunk>();

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Gives each chunk its own copy of its bytes. Afterwards no chunk refers to this buffer. */
  detachChunks(): void {
    for (const chunk of this.chunks) chunk.detach();
  }
}

/** Consecutive records. All offsets count from the start of the chunk's first buffer, also after detach(). */
export class RecordChunk {
  #buffer: RecordBuffer;
  readonly #start: number;
  #end: number;
  /** The offset at which the current buffer begins. It is subtracted from each offset. */
  #base = 0;

  constructor(buffer: RecordBuffer, start = 0, end = buffer.bytes.length) {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
  }

  static from(bytes: Buffer): RecordChunk {
    return new RecordChunk(new RecordBuffer(bytes));
  }

  /** The buffer that has the records now. */
  get buffer(): RecordBuffer {
    return this.#buffer;
  }

  offsetInBuffer(offset: number): number {
    return offset - this.#base;
  }

  /** Number of bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds the bytes up to `end`. */
  extend(end: number): void {
    this.#end = end;
  }

  /** Copies the records into a buffer of their own, so that the chunk no longer refers to the shared buffer. */
  detach(): void {
    this.#buffer = new RecordBuffer(this.#copyBytes(this.#start, this.#end));
    this.#base = this.#start;
  }

  /** Copies one record, for an object that outlives the chunk. `change` may write to the copy. */
  copyRecord(start: number, size: number, change?: (copy: Buffer) => void): RecordChunk {
    const copy = this.#copyBytes(start, start + size);
    change?.(copy);
    return RecordChunk.from(copy);
  }

  /** Copies one record to an offset of another buffer. Returns a chunk with the copy only. */
  copyRecordTo(buffer: RecordBuffer, offset: number, start: number, size: number): RecordChunk {
    this.#buffer.bytes.copy(buffer.bytes, offset, start - this.#base, start - this.#base + size);
    const copy = new RecordChunk(buffer, 0, size);
    copy.#base = -offset;
    return copy;
  }

  /** Copies all bytes. */
  copyBytes(): Buffer {
    return this.#copyBytes(this.#start, this.#end);
  }

  #copyBytes(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    this.#buffer.bytes.copy(bytes, 0, start - this.#base, end - this.#base);
    return bytes;
  }

  u8(offset: number): number {
    return this.#buffer.view.getUint8(offset - this.#base);
  }

  i8(offset: number): number {
    return this.#buffer.view.getInt8(offset - this.#base);
  }

  u16(offset: number): number {
    return this.#buffer.view.getUint16(offset - this.#base, true);
  }

  i16(offset: number): number {
    return this.#buffer.view.getInt16(offset - this.#base, true);
  }

  u32(offset: number): number {
    return this.#buffer.view.getUint32(offset - this.#base, true);
  }

  i32(offset: number): number {
    return this.#buffer.view.getInt32(offset - this.#base, true);
  }

  u64(offset: number): bigint {
    return this.#buffer.view.getBigUint64(offset - this.#base, true);
  }

  i64(offset: number): bigint {
    return this.#buffer.view.getBigInt64(offset - this.#base, true);
  }

  readString(start: number, length: number): string {
    return decodeString(this.#buffer.bytes, start - this.#base, start - this.#base + length);
  }

  /** A view of the bytes. */
  bytes(start: number, end: number): Buffer {
    return this.#buffer.bytes.subarray(start - this.#base, end - this.#base);
  }
}
