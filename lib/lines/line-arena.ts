/**
 * The bytes that many lines share, as the addon reads them: see native/lines/line_format.h. JavaScript formats each of
 * them once. When there are too many, all are forgotten, and each is added again when it is needed.
 */

const FIRST_BYTES = 64 * 1024;
/** More bytes are not kept. A process has about 1 KB. */
const BYTES_MAX = 4 * 1024 * 1024;
const WORD = 4;

/** A part of a pattern, see enum class Op. */
export const LineOp = {
  text: 0,
  fixed: 1,
  process: 2,
  tid: 3,
  time: 4,
  plain: 5,
  i8: 6,
  u8: 7,
  i16: 8,
  u16: 9,
  i32: 10,
  u32: 11,
  i64: 12,
  u64: 13,
  string: 14,
  path: 15,
  permission: 16,
  word: 17,
  message: 18,
  end: 19,
  length: 20,
  thread: 21,
  timestamp: 22,
  varint: 23,
  ascii: 24,
} as const;

export type LineOp = (typeof LineOp)[keyof typeof LineOp];

/** A text of a process, or its bytes. */
export type ProcessText = string | Uint8Array;

/** Returns the offset after the text. */
function write(bytes: Buffer, text: ProcessText, at: number): number {
  if (typeof text === 'string') return at + bytes.write(text, at);
  bytes.set(text, at);
  return at + text.length;
}

export class LineArena {
  bytes: Buffer = Buffer.alloc(FIRST_BYTES);
  /** Changes when all bytes are forgotten. Offsets are valid for one generation. */
  generation = 0;
  #end = 0;

  get isFull(): boolean {
    return this.#end > BYTES_MAX;
  }

  /** Forgets all bytes. */
  clear(): void {
    this.#end = 0;
    this.generation += 1;
  }

  /** Adds words of 32 bits and bytes after them. Returns the offset of the first word. */
  add(words: readonly number[], ...texts: readonly Uint8Array[]): number {
    const at = this.#end;
    const size = texts.reduce((sum, { length }) => sum + length, words.length * WORD);
    this.#reserve(size);
    let end = at;
    for (const word of words) end = this.bytes.writeUInt32LE(word, end);
    for (const text of texts) {
      this.bytes.set(text, end);
      end += text.length;
    }
    this.#end = end;
    return at;
  }

  /** Adds the lengths of two texts, and the texts. Returns the offset of the first length. */
  addTexts(first: ProcessText, second: ProcessText): number {
    const at = this.#end;
    const start = at + 2 * WORD;
    // a UTF-16 code unit has at most three bytes
    this.#reserve(2 * WORD + 3 * (first.length + second.length));
    const { bytes } = this;
    const middle = write(bytes, first, start);
    const end = write(bytes, second, middle);
    bytes.writeUInt32LE(middle - start, at);
    bytes.writeUInt32LE(end - middle, at + WORD);
    this.#end = end;
    return at;
  }

  #reserve(count: number): void {
    if (this.#end + count <= this.bytes.length) return;
    const bytes = Buffer.alloc(Math.max(2 * this.bytes.length, this.#end + count));
    this.bytes.copy(bytes, 0, 0, this.#end);
    this.bytes = bytes;
  }
}
