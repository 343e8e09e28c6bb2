/** Records that the addon has copied. Offsets in a record are not trusted: every read checks them. */
import { decodeText } from './text.js';

/** Bytes that several slabs share. */
export class Block {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** The slabs that leave() gives bytes of their own. */
  readonly slabs: Slab[] = [];

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** From then on nothing of the block is needed. */
  leave(): void {
    for (const slab of this.slabs) slab.leave();
  }
}

/** Some records, one after the other. Offsets are those in the first block, also when the slab has left it. */
export class Slab {
  #block: Block;
  readonly #start: number;
  #end: number;
  /** Subtracted from each offset. */
  #base = 0;

  constructor(block: Block, start = 0, end = block.bytes.length) {
    this.#block = block;
    this.#start = start;
    this.#end = end;
  }

  static of(bytes: Buffer): Slab {
    return new Slab(new Block(bytes));
  }

  /** Number of bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds the bytes up to `end`. */
  extend(end: number): void {
    this.#end = end;
  }

  /** Copies the records, so that the slab needs its block no more. */
  leave(): void {
    this.#block = new Block(this.#copyOf(this.#start, this.#end));
    this.#base = this.#start;
  }

  /** Copies one record, for objects that outlive the slab. */
  copy(start: number, size: number): Slab {
    return Slab.of(this.#copyOf(start, start + size));
  }

  #copyOf(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    this.#block.bytes.copy(bytes, 0, start - this.#base, end - this.#base);
    return bytes;
  }

  u8(offset: number): number {
    return this.#block.view.getUint8(offset - this.#base);
  }

  i8(offset: number): number {
    return this.#block.view.getInt8(offset - this.#base);
  }

  u16(offset: number): number {
    return this.#block.view.getUint16(offset - this.#base, true);
  }

  i16(offset: number): number {
    return this.#block.view.getInt16(offset - this.#base, true);
  }

  u32(offset: number): number {
    return this.#block.view.getUint32(offset - this.#base, true);
  }

  i32(offset: number): number {
    return this.#block.view.getInt32(offset - this.#base, true);
  }

  u64(offset: number): bigint {
    return this.#block.view.getBigUint64(offset - this.#base, true);
  }

  i64(offset: number): bigint {
    return this.#block.view.getBigInt64(offset - this.#base, true);
  }

  text(start: number, length: number): string {
    return decodeText(this.#block.bytes, start - this.#base, start - this.#base + length);
  }

  /** A view of the bytes. */
  bytes(start: number, end: number): Buffer {
    return this.#block.bytes.subarray(start - this.#base, end - this.#base);
  }
}
