/**
 * Writes lines of events as bytes. The addon writes them straight from the records: it puts the values of each record
 * between texts that JavaScript has formatted once. All other events are formatted one by one.
 */
import type { PlainEvent } from '../../types/events.js';
import type { LineFormatter } from '../../types/output.js';
import type { LoadedHook } from '../events/hook.js';
import { createHookEvent } from '../events/events.js';
import { findLoadedHook } from '../events/hook-events.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';
import { recordChunk, recordStart, type RecordEvent } from '../events/record.js';
import type { WriteLines } from '../native/binding.js';
import { getTrackedProcess, type ViewedProcess } from '../process/view.js';
import { EventHook, Value } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { isPlainRecord } from './hook-pattern.js';
import { LineBatch } from './line-batch.js';
import type { LinePattern } from './line-pattern.js';
import { placeProcess, type FormatProcess } from './process-texts.js';

/** The line of an event of the base sensor: a pattern, and the only text of its own. */
export interface ProcessLine {
  readonly pattern: LinePattern;
  readonly text: string;
}

/** A format of lines. */
export interface LineFormat {
  /** Formats the line of any event: without a newline, or as complete bytes, which the next call may overwrite. */
  readonly format: (event: PlainEvent) => string | Uint8Array;
  /** True if all lines are formatted by `format`. */
  readonly isFormatted: boolean;
  readonly formatProcess: FormatProcess;
  /** Undefined: the line is formatted by `format`. */
  readonly processLine: (event: ExecEvent | ExitEvent) => ProcessLine | undefined;
  /**
   * `event` has a plain record of the hook. All events with the same attach point have the same pattern. Undefined: their
   * lines are formatted by `format`.
   */
  readonly createHookPattern: (event: PlainEvent, hook: LoadedHook) => LinePattern | VaryingPattern | undefined;
}

/** A number decides about the line, and each of its values has a pattern of its own. */
export interface VaryingPattern {
  readonly slot: number;
  readonly pattern: LinePattern;
}

/** Null: the lines of the hook are formatted one by one. */
type KnownHook = LinePattern | PatternsByValue | null;

/** Values with a pattern of their own. A traced program could use many others. */
const VALUES_MAX = 32;

class PatternsByValue {
  readonly #byValue = new Map<number, LinePattern>();

  readonly #slot: number;

  constructor(slot: number) {
    this.#slot = slot;
  }

  /** Returns undefined for a value that was not seen before. */
  known(chunk: RecordChunk, at: number, { compiled }: LoadedHook): LinePattern | null | undefined {
    if (!isPlainRecord(chunk, at, compiled)) return null;
    const known = this.#byValue.get(readNumber(chunk, at, this.#slot));
    return known === undefined && this.#byValue.size >= VALUES_MAX ? null : known;
  }

  set(chunk: RecordChunk, at: number, pattern: LinePattern): void {
    this.#byValue.set(readNumber(chunk, at, this.#slot), pattern);
  }
}

/**
 * A record of a hook without an event, because nothing needs one. Each line that waits has one. They are used again, and
 * keep the hook and the process until then.
 */
class LineRecord {
  #hook: LoadedHook;
  #process: ViewedProcess;
  #at: number;

  constructor(hook: LoadedHook, process: ViewedProcess, at: number) {
    this.#hook = hook;
    this.#process = process;
    this.#at = at;
  }

  change(hook: LoadedHook, process: ViewedProcess, at: number): this {
    if (this.#hook !== hook) this.#hook = hook;
    if (this.#process !== process) this.#process = process;
    this.#at = at;
    return this;
  }

  /** Only a hook without requests has a pattern, so making its event starts nothing. */
  toEvent(chunk: RecordChunk): PlainEvent {
    return createHookEvent(chunk, this.#at, this.#process.view, this.#hook) as PlainEvent;
  }
}

const writers = new WeakMap<LineFormatter, LineWriter>();

/** Returns a function that formats events, each followed by a newline. Its result is overwritten by the next call. */
export function lineFormatter(format: LineFormat, find: (() => WriteLines) | undefined): LineFormatter {
  const writer = new LineWriter(format, find);
  const write: LineFormatter = (events) => writer.write(events);
  writers.set(write, writer);
  return write;
}

/** Returns the writer of a function of lineFormatter(). */
export function findLineWriter(formatter: LineFormatter): LineWriter | undefined {
  return writers.get(formatter);
}

export class LineWriter {
  readonly #format: LineFormat;
  readonly #batch: LineBatch<PlainEvent | LineRecord>;
  /** The patterns of each hook, by attach point. */
  readonly #hooks = new WeakMap<LoadedHook, KnownHook[]>();
  /** The records of the lines that wait, by their number. */
  readonly #records: LineRecord[] = [];
  /** The chunk of these records. */
  #chunk: RecordChunk | undefined;
  #lastHook: LoadedHook | undefined;
  #lastPatterns: KnownHook[] = [];

  constructor(format: LineFormat, find: (() => WriteLines) | undefined) {
    this.#format = format;
    this.#batch = new LineBatch((source) => {
      const isRecord = source instanceof LineRecord;
      const text = format.format(isRecord ? source.toEvent(this.#chunk as RecordChunk) : source);
      return typeof text === 'string' ? `${text}\n` : text;
    }, find);
  }

  /** Formats events, each followed by a newline. The result is overwritten by the next call. */
  write(events: Iterable<PlainEvent>): Uint8Array {
    this.start();
    this.addEvents(events);
    return this.finish();
  }

  /** Begins a batch. */
  start(): void {
    this.#batch.start();
  }

  /** About the number of bytes of the batch so far. */
  get size(): number {
    return this.#batch.size;
  }

  addEvents(events: Iterable<PlainEvent>): void {
    const batch = this.#batch;
    const { isFormatted } = this.#format;
    for (const event of events) if (isFormatted || !this.#addLine(event)) batch.addFormatted(event);
  }

  /** Adds the line of a record, which must be that of a hook without requests. Returns false if an event is needed. */
  addRecord(hook: LoadedHook, process: ViewedProcess, chunk: RecordChunk, at: number): boolean {
    let pattern = this.#knownPattern(hook, chunk, at);
    if (pattern instanceof PatternsByValue) pattern = pattern.known(chunk, at, hook);
    if (pattern === undefined || pattern === null) return false;
    if (chunk !== this.#chunk) {
      this.#batch.flush();
      this.#chunk = chunk;
    }
    this.#batch.prepare(chunk.buffer, process.context.clock);
    const text = this.#batch.texts.end;
    if (!this.#addTexts(pattern, hook, chunk, at)) return false;
    this.#addRecord(this.#keepRecord(hook, process, at), process, chunk, at, pattern, text);
    return true;
  }

  #keepRecord(hook: LoadedHook, process: ViewedProcess, at: number): LineRecord {
    const known = this.#records[this.#batch.waiting];
    if (known !== undefined) return known.change(hook, process, at);
    return (this.#records[this.#batch.waiting] = new LineRecord(hook, process, at));
  }

  /** Writes the lines that wait: afterwards no line needs its record. */
  flush(): void {
    this.#batch.flush();
  }

  /** Returns the bytes of all lines. The next batch overwrites them. */
  finish(): Uint8Array {
    const bytes = this.#batch.finish();
    this.#chunk = undefined;
    return bytes;
  }

  /** Returns false for an event that is formatted on its own. */
  #addLine(event: PlainEvent): boolean {
    const hook = findLoadedHook(event);
    if (hook !== undefined) return this.#addHookEvent(event as unknown as RecordEvent, hook);
    return isProcessEvent(event) && this.#addProcessEvent(event);
  }

  #addHookEvent(event: RecordEvent, hook: LoadedHook): boolean {
    const chunk = recordChunk(event);
    const at = recordStart(event);
    const pattern = this.#findPattern(event, hook, chunk, at);
    if (pattern === null) return false;
    const process = getTrackedProcess(event.process);
    this.#batch.prepare(chunk.buffer, process.context.clock);
    const text = this.#batch.texts.end;
    if (!this.#addTexts(pattern, hook, chunk, at)) return false;
    this.#addRecord(event as unknown as PlainEvent, process, chunk, at, pattern, text);
    return true;
  }

  /** Formats the parts for which the addon has no operation. */
  #addTexts({ texts }: LinePattern, hook: LoadedHook, chunk: RecordChunk, at: number): boolean {
    if (texts.length === 0) return true;
    if (!isPlainRecord(chunk, at, hook.compiled)) return false;
    for (const format of texts) {
      const formatted = format(chunk, at);
      if (formatted === undefined) return false;
      this.#batch.texts.textWithLength(formatted);
    }
    return true;
  }

  #addProcessEvent(event: ExecEvent | ExitEvent): boolean {
    const line = this.#format.processLine(event);
    if (line === undefined) return false;
    const chunk = recordChunk(event);
    const process = getTrackedProcess(event.process);
    this.#batch.prepare(chunk.buffer, process.context.clock);
    const text = this.#batch.texts.end;
    this.#batch.texts.textWithLength(line.text);
    this.#addRecord(event as PlainEvent, process, chunk, recordStart(event), line.pattern, text);
    return true;
  }

  #addRecord(
    source: PlainEvent | LineRecord,
    process: ViewedProcess,
    chunk: RecordChunk,
    at: number,
    pattern: LinePattern,
    text: number,
  ): void {
    const batch = this.#batch;
    const place = pattern.hasProcess ? placeProcess(process, this.#format.formatProcess, batch.arena, batch.number) : 0;
    batch.add(source, chunk.offsetInBuffer(at), pattern.placeIn(batch.arena), place, text);
  }

  /** Returns undefined if no event of the hook's attach point had a plain record. */
  #knownPattern(hook: LoadedHook, chunk: RecordChunk, at: number): KnownHook | undefined {
    if (hook !== this.#lastHook) {
      let known = this.#hooks.get(hook);
      if (known === undefined) this.#hooks.set(hook, (known = []));
      this.#lastPatterns = known;
      this.#lastHook = hook;
    }
    return this.#lastPatterns[readPoint(hook, chunk, at)];
  }

  #findPattern(event: RecordEvent, hook: LoadedHook, chunk: RecordChunk, at: number): LinePattern | null {
    const known = this.#knownPattern(hook, chunk, at);
    if (known !== undefined && !(known instanceof PatternsByValue)) return known;
    if (!isPlainRecord(chunk, at, hook.compiled)) return null;
    const ofValue = known?.known(chunk, at, hook);
    if (ofValue !== undefined) return ofValue;
    const created = this.#format.createHookPattern(event as unknown as PlainEvent, hook);
    const point = readPoint(hook, chunk, at);
    if (created === undefined || !('slot' in created)) return (this.#lastPatterns[point] = created ?? null);
    const byValue = known ?? (this.#lastPatterns[point] = new PatternsByValue(created.slot));
    byValue.set(chunk, at, created.pattern);
    return created.pattern;
  }
}

function readPoint({ functions, compiled }: LoadedHook, chunk: RecordChunk, at: number): number {
  return functions === undefined && compiled.places === undefined ? 0 : chunk.u16(at + EventHook.attachPoint);
}

/** The low half of a number, which has all bits of the types that decide about a line. The record is plain. */
function readNumber(chunk: RecordChunk, at: number, slot: number): number {
  return chunk.u32(at + EventHook.sizeof + slot * Value.sizeof + Value.value);
}

/** True for an event that a tracer made from the record of an exec or an exit. */
function isProcessEvent(event: object): event is ExecEvent | ExitEvent {
  return event instanceof ExecEvent || event instanceof ExitEvent;
}
