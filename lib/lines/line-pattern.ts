/** A pattern: the parts of the lines of a kind of events. Each part is the same in all lines, or has its own in each. */
import { formatMode } from '../wire/decode/files.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { LineOp, type LineArena } from './line-arena.js';

/** Formats a part for which the addon has no operation. Returns undefined if the event has to be formatted in another way. */
export type FormatText = (chunk: RecordChunk, at: number) => string | Uint8Array | undefined;

/** The operations whose operands are the place of fixed bytes. */
const CARRIERS: ReadonlySet<LineOp> = new Set([
  LineOp.fixed,
  LineOp.end,
  LineOp.length,
  LineOp.thread,
  LineOp.timestamp,
]);

/** Words of a part: the operation and its two operands. */
const PART_WORDS = 3;
const WORD = 4;

export class LinePattern {
  /** The parts that JavaScript formats for each event, in their order. */
  readonly texts: FormatText[] = [];
  /** True if a part is a text of the process. */
  hasProcess = false;
  readonly #parts: [op: LineOp, a: number, b: number][] = [];
  readonly #bytes: Uint8Array[] = [];
  #size = 0;
  #at = 0;
  #generation = -1;

  /** Adds a text that is the same in all lines. */
  fixed(text: string | Uint8Array): this {
    if (text.length === 0) return this;
    const start = this.#size;
    return this.add(LineOp.fixed, start, this.#append(typeof text === 'string' ? Buffer.from(text) : text));
  }

  /** Adds bytes that are the same in all messages. They stand before the part that was added last. */
  before(bytes: Uint8Array): this {
    const last = this.#parts.at(-1);
    if (bytes.length === 0 || last === undefined || !CARRIERS.has(last[0])) return this.fixed(bytes);
    const [, start, length] = last;
    const joined = Buffer.concat([bytes, Buffer.concat(this.#bytes).subarray(start, start + length)]);
    last[1] = this.#size;
    last[2] = this.#append(joined);
    return this;
  }

  /** Adds the permissions of a file. */
  permission(slot: number): this {
    const start = this.#size;
    this.#append(permissionTable());
    return this.add(LineOp.permission, slot, start);
  }

  add(op: LineOp, a = 0, b = 0): this {
    this.#parts.push([op, a, b]);
    if (op === LineOp.process) this.hasProcess = true;
    return this;
  }

  text(format: FormatText): this {
    this.texts.push(format);
    return this.add(LineOp.text);
  }

  #append(bytes: Uint8Array): number {
    this.#bytes.push(bytes);
    this.#size += bytes.length;
    return bytes.length;
  }

  /** True if the other pattern has the same parts. Functions that format texts are not compared. */
  equals(other: LinePattern): boolean {
    const isSame = JSON.stringify(this.#parts) === JSON.stringify(other.#parts);
    return isSame && Buffer.concat(this.#bytes).equals(Buffer.concat(other.#bytes));
  }

  /** Returns the offset of the finished pattern in the arena. */
  placeIn(arena: LineArena): number {
    if (this.#generation === arena.generation) return this.#at;
    // the bytes follow the number of parts, and the parts
    const base = (1 + PART_WORDS * this.#parts.length) * WORD;
    const words = this.#parts.flatMap(([op, a, b]) => {
      if (CARRIERS.has(op)) return [op, base + a, b];
      return op === LineOp.permission ? [op, a, base + b] : [op, a, b];
    });
    this.#at = arena.add([this.#parts.length, ...words], ...this.#bytes);
    this.#generation = arena.generation;
    return this.#at;
  }
}

const TYPES = 16;
const CLASSES = 3;
const BITS = 16;
let madeTable: Buffer | undefined;

/** Cuts the table of the addon out of the texts of formatMode(): see struct PermissionTable. */
function permissionTable(): Buffer {
  if (madeTable !== undefined) return madeTable;
  const types = Array.from({ length: TYPES }, (_, type) => formatMode((type << 12) | 1).charAt(0));
  const classes = Array.from({ length: CLASSES * BITS }, (_, i) => {
    const number = Math.floor(i / BITS);
    const [special, bits] = [(i >> 3) & 1, i & 7];
    const mode = 0o100000 | (special << (11 - number)) | (bits << (6 - 3 * number));
    return formatMode(mode).slice(1 + 3 * number, 4 + 3 * number);
  });
  return (madeTable = Buffer.from([...types, ...classes].join(''), 'latin1'));
}
