/** Bytes of lines. The buffer is used again for the next lines, and grows when it has to. */

const FIRST_BYTES = 64 * 1024;
/** A larger buffer is not kept for the next lines. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Bytes of the length of a text. */
const LENGTH_BYTES = 4;

export class LineBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Number of written bytes. */
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

  /** Writes a string as UTF-8. A lone surrogate becomes U+FFFD. */
  text(text: string): void {
    // a UTF-16 code unit has at most three bytes
    this.reserve(3 * text.length);
    this.end += this.bytes.write(text, this.end);
  }

  /** Writes bytes. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** Writes the length of the text, and the text. */
  textWithLength(text: string | Uint8Array): void {
    const at = this.end;
    this.reserve(LENGTH_BYTES);
    this.end += LENGTH_BYTES;
    if (typeof text === 'string') this.text(text);
    else this.raw(text);
    this.bytes.writeUInt32LE(this.end - at - LENGTH_BYTES, at);
  }

  /** Inserts texts. Each place is an offset at which the bytes after it begin, in ascending order. */
  insert(places: readonly number[], texts: readonly Uint8Array[]): void {
    let rest = texts.reduce((sum, { length }) => sum + length, 0);
    this.reserve(rest);
    const end = this.end + rest;
    let from = this.end;
    for (let i = places.length - 1; i >= 0; i--) {
      const [place, text] = [places[i] as number, texts[i] as Uint8Array];
      this.bytes.copyWithin(place + rest, place, from);
      rest -= text.length;
      this.bytes.set(text, place + rest);
      from = place;
    }
    this.end = end;
  }
}
