/** A block of records as the native side copied it. Offsets are checked: what a record says of itself is not trusted. */

export class Slab {
  readonly bytes: Buffer;
  readonly view: DataView;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  static allocate(size: number): Slab {
    return new Slab(Buffer.allocUnsafeSlow(size));
  }

  /** A copy of one record, for what outlives its slab. */
  copy(start: number, size: number): Slab {
    const bytes = Buffer.allocUnsafeSlow(size);
    this.bytes.copy(bytes, 0, start, start + size);
    return new Slab(bytes);
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  i32(offset: number): number {
    return this.view.getInt32(offset, true);
  }

  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  /** UTF-8; bytes that are not valid become U+FFFD. */
  text(start: number, length: number): string {
    return this.bytes.utf8Slice(start, start + length);
  }
}

declare global {
  interface Buffer {
    /** Undocumented but stable: what toString('utf8') calls, without its checks. */
    utf8Slice(start: number, end: number): string;
  }
}
