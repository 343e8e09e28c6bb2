/**
 * Writes lines of events as bytes. The addon writes them straight from the records: it puts the values of each record
 * between texts that JavaScript has formatted once. All other events are formatted one by one.
 */
import type { PlainEvent } from '../../types/events.js';
import type { LoadedHook } from '../events/hook.js';
import { findLoadedHook } from '../events/hook-events.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';
import { recordChunk, recordStart, type RecordEvent } from '../events/record.js';
import type { WriteLines } from '../native/binding.js';
import { getTrackedProcess } from '../process/view.js';
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
  /** Formats the line of any event, without a newline. */
  readonly format: (event: PlainEvent) => string;
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
  readonly #byValue = new Map<number, LinePattern | null>();

  constructor(readonly slot: number) {}

  find(value: number, create: () => LinePattern | null): LinePattern | null {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    if (this.#byValue.size >= VALUES_MAX) return null;
    const created = create();
    this.#byValue.set(value, created);
    return created;
  }
}

export class LineWriter {
  readonly #format: LineFormat;
  readonly #batch: LineBatch<PlainEvent>;
  /** The patterns of each hook, by attach point. */
  readonly #hooks = new WeakMap<LoadedHook, KnownHook[]>();
  #lastHook: LoadedHook | undefined;
  #lastPatterns: KnownHook[] = [];

  constructor(format: LineFormat, find: (() => WriteLines) | undefined) {
    this.#format = format;
    this.#batch = new LineBatch((event) => `${format.format(event)}\n`, find);
  }

  /** Formats events, each followed by a newline. The result is overwritten by the next call. */
  write(events: Iterable<PlainEvent>): Uint8Array {
    const batch = this.#batch;
    const { isFormatted } = this.#format;
    const list = Array.isArray(events) ? (events as readonly PlainEvent[]) : Array.from(events);
    batch.start(list);
    for (const event of list) if (isFormatted || !this.#addLine(event)) batch.addFormatted(event);
    return batch.finish();
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
    this.#prepare(event, chunk);
    if (pattern.texts.length > 0 && !isPlainRecord(chunk, at, hook.compiled)) return false;
    const text = this.#batch.texts.end;
    for (const format of pattern.texts) {
      const formatted = format(chunk, at);
      if (formatted === undefined) return false;
      this.#batch.texts.textWithLength(formatted);
    }
    this.#addRecord(event, chunk, at, pattern, text);
    return true;
  }

  #addProcessEvent(event: ExecEvent | ExitEvent): boolean {
    const line = this.#format.processLine(event);
    if (line === undefined) return false;
    const chunk = recordChunk(event);
    this.#prepare(event, chunk);
    const text = this.#batch.texts.end;
    this.#batch.texts.textWithLength(line.text);
    this.#addRecord(event, chunk, recordStart(event), line.pattern, text);
    return true;
  }

  #prepare(event: RecordEvent, chunk: RecordChunk): void {
    this.#batch.prepare(chunk.buffer, getTrackedProcess(event.process).context.clock);
  }

  #addRecord(event: RecordEvent, chunk: RecordChunk, at: number, pattern: LinePattern, text: number): void {
    const batch = this.#batch;
    const tracked = getTrackedProcess(event.process);
    const process = pattern.hasProcess
      ? placeProcess(tracked, this.#format.formatProcess, batch.arena, batch.number)
      : 0;
    batch.add(chunk.offsetInBuffer(at), pattern.placeIn(batch.arena), process, text);
  }

  #findPattern(event: RecordEvent, hook: LoadedHook, chunk: RecordChunk, at: number): LinePattern | null {
    if (hook !== this.#lastHook) {
      let known = this.#hooks.get(hook);
      if (known === undefined) this.#hooks.set(hook, (known = []));
      this.#lastPatterns = known;
      this.#lastHook = hook;
    }
    const { functions, compiled } = hook;
    const point = functions === undefined && compiled.places === undefined ? 0 : chunk.u16(at + EventHook.attachPoint);
    const pattern = this.#lastPatterns[point];
    if (pattern !== undefined)
      return pattern instanceof PatternsByValue ? this.#findByValue(pattern, event, hook, chunk, at) : pattern;
    if (!isPlainRecord(chunk, at, compiled)) return null;
    const created = this.#format.createHookPattern(event as never, hook);
    if (created === undefined || !('slot' in created)) return (this.#lastPatterns[point] = created ?? null);
    const byValue = (this.#lastPatterns[point] = new PatternsByValue(created.slot));
    return byValue.find(readNumber(chunk, at, created.slot), () => created.pattern);
  }

  #findByValue(patterns: PatternsByValue, event: RecordEvent, hook: LoadedHook, chunk: RecordChunk, at: number) {
    if (!isPlainRecord(chunk, at, hook.compiled)) return null;
    return patterns.find(readNumber(chunk, at, patterns.slot), () => {
      const created = this.#format.createHookPattern(event as never, hook);
      return created !== undefined && 'slot' in created ? created.pattern : null;
    });
  }
}

/** The low half of a number, which has all bits of the types that decide about a line. The record is plain. */
function readNumber(chunk: RecordChunk, at: number, slot: number): number {
  return chunk.u32(at + EventHook.sizeof + slot * Value.sizeof + Value.value);
}

/** True for an event that a tracer made from the record of an exec or an exit. */
function isProcessEvent(event: object): event is ExecEvent | ExitEvent {
  return event instanceof ExecEvent || event instanceof ExitEvent;
}
