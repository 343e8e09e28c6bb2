/**
 * Lines that the addon writes together. Lines that it cannot write, such as those with strings that need escapes, are
 * formatted one by one and inserted in their places.
 */
import { loadBinding, type WriteLines } from '../native/binding.js';
import type { Clock } from '../process/clock.js';
import type { RecordBuffer } from '../wire/record-chunk.js';
import { LineArena } from './line-arena.js';
import { LineBuffer } from './line-buffer.js';

/** Lines of one call of the addon. */
const LINES_MAX = 1024;
/** Words of a line, see struct Line. */
const LINE_WORDS = 4;
/** An offset at which there is no pattern. */
const NO_PATTERN = 2 ** 32 - 1;
const NEXT = 0;
const COUNT = 1;
const OUTPUT = 2;
const GAPS = 3;

export class LineBatch<S> {
  readonly arena = new LineArena();
  /** The texts of the lines that JavaScript formats. */
  readonly texts = new LineBuffer();
  /** Changes with each batch, and when the arena was cleared. */
  number = 0;
  readonly #find: () => WriteLines;
  #writeLines: WriteLines | undefined;
  readonly #format: (source: S) => string | Uint8Array;
  readonly #output = new LineBuffer();
  readonly #lines = new Uint32Array(LINES_MAX * LINE_WORDS);
  readonly #progress = new Uint32Array(4);
  /** The event or record of each line that waits. */
  readonly #sources: (S | undefined)[] = [];
  #used = 0;
  #count = 0;
  #records: RecordBuffer | undefined;
  #clock: Clock | undefined;

  /** `format` formats a line that the addon cannot write. */
  constructor(format: (source: S) => string | Uint8Array, find = findWriteLines) {
    this.#format = format;
    this.#find = find;
  }

  /** Number of bytes so far, without those of the lines that wait. */
  get size(): number {
    return this.#output.end;
  }

  /** Number of lines that wait. */
  get waiting(): number {
    return this.#count;
  }

  /** Begins a batch. Lines of an earlier one are left over if the formatting of an event has thrown. */
  start(): void {
    this.#discardLines();
    this.#output.reset();
    this.number += 1;
  }

  /** Returns the bytes of all lines. The next batch overwrites them. */
  finish(): Uint8Array {
    this.flush();
    // no record and no event is retained
    this.#records = undefined;
    this.#sources.fill(undefined, 0, this.#used);
    this.#used = 0;
    return this.#output.bytes.subarray(0, this.#output.end);
  }

  /** Must be called before the texts and places of a line are made. */
  prepare(records: RecordBuffer, clock: Clock): void {
    if (this.#count === LINES_MAX || records !== this.#records || clock !== this.#clock) {
      this.flush();
      this.#records = records;
      this.#clock = clock;
    }
    if (!this.arena.isFull) return;
    this.flush();
    this.arena.clear();
    this.number += 1;
  }

  /** Adds a line with what it is made of: offsets of its record in the buffer, of its pattern and its process, and of its texts. */
  add(source: S, record: number, pattern: number, process: number, text: number): void {
    const at = this.#count * LINE_WORDS;
    const lines = this.#lines;
    lines[at] = record;
    lines[at + 1] = pattern;
    lines[at + 2] = process;
    lines[at + 3] = text;
    this.#sources[this.#count++] = source;
    if (this.#count > this.#used) this.#used = this.#count;
  }

  /** Adds a line that JavaScript formats. */
  addFormatted(source: S): void {
    if (this.#count === LINES_MAX) this.flush();
    if (this.#count > 0) return this.add(source, 0, NO_PATTERN, 0, 0);
    const formatted = this.#format(source);
    if (typeof formatted === 'string') this.#output.text(formatted);
    else this.#output.raw(formatted);
  }

  /** Writes the lines that wait. */
  flush(): void {
    if (this.#count === 0) return;
    const { arena, texts } = this;
    const [output, progress, clock] = [this.#output, this.#progress, this.#clock as Clock];
    progress.set([0, this.#count, output.end, 0]);
    this.#writeLines ??= this.#find();
    for (;;) {
      this.#writeLines(
        progress,
        this.#lines,
        arena.bytes,
        (this.#records as RecordBuffer).bytes,
        texts.bytes,
        output.bytes,
        clock.offsetSeconds,
        clock.offsetNanoseconds,
      );
      output.end = progress[OUTPUT] as number;
      if (progress[NEXT] === progress[COUNT]) break;
      output.reserve(output.bytes.length);
    }
    this.#fillGaps();
    this.#discardLines();
  }

  #discardLines(): void {
    this.#count = 0;
    this.texts.reset();
  }

  #fillGaps(): void {
    const count = this.#progress[GAPS] as number;
    if (count === 0) return;
    const places: number[] = [];
    const formatted: Buffer[] = [];
    for (let at = 0; at < count * LINE_WORDS; at += LINE_WORDS) {
      formatted.push(copyBytes(this.#format(this.#sources[this.#lines[at] as number] as S)));
      places.push(this.#lines[at + 1] as number);
    }
    this.#output.insert(places, formatted);
  }
}

function copyBytes(text: string | Uint8Array): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text);
}

/** Recorded events and those of an agent are formatted without the addon. */
function findWriteLines(): WriteLines {
  try {
    return loadBinding().writeLines;
  } catch {
    return leaveLines;
  }
}

/** Leaves all lines as gaps. */
export function leaveLines(progress: Uint32Array, lines: Uint32Array): void {
  const count = progress[COUNT] as number;
  for (let i = 0; i < count; i++) lines.set([i, progress[OUTPUT] as number], i * LINE_WORDS);
  progress[NEXT] = progress[GAPS] = count;
}
