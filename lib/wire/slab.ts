/** A block of records that the addon has copied. Offsets in a record are not trusted: every read checks them. */

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

  /** Copies one record, for objects that outlive the slab. */
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

  /** Decodes UTF-8; invalid bytes become U+FFFD. */
  text(start: number, length: number): string {
    return this.bytes.utf8Slice(start, start + length);
  }
}

declare global {
  interface Buffer {
    /** Not documented but stable: toString('utf8') calls it after some checks. */
    utf8Slice(start: number, end: number): string;
  }
}
