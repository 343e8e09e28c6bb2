/** A block of records that the addon has copied. Offsets in a record are not trusted: every read checks them. */
import { decodeText } from './text.js';

export class Slab {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** A function makes structuredClone() and postMessage() throw, which would copy an event without its fields. */
  readonly hint = copyWithToObject;

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

  text(start: number, length: number): string {
    return decodeText(this.bytes, start, start + length);
  }
}

function copyWithToObject(): void {}
