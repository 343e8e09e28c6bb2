/**
 * JSON lines as bytes. The addon writes the lines of hooks, execs and exits straight from their records: it puts the
 * values of each record between texts that toJson() has formatted once. All other events are formatted by toJson(): there
 * is one format.
 */
import type { PlainEvent, PlainOf, ProcessExecEvent, ProcessExitEvent } from '../../types/events.js';
import type { JsonOptions } from '../../types/output.js';
import type { LoadedHook } from '../events/hook.js';
import { findLoadedHook } from '../events/hook-events.js';
import { recordChunk, recordStart, type RecordEvent } from '../events/record.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';
import type { WriteLines } from '../native/binding.js';
import { exitPart, hasAncestors, headPart, nodePart, toJson } from '../output/json.js';
import { selectWriter } from '../output/process-json.js';
import { getTrackedProcess } from '../process/view.js';
import { EventHook } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { createHookPattern, isPlainRecord } from './hook-pattern.js';
import { LineOp } from './line-arena.js';
import { LineBatch } from './line-batch.js';
import { LinePattern } from './line-pattern.js';
import { placeProcess, type FormatProcess } from './process-texts.js';

type PlainProcessEvent = PlainOf<ProcessExecEvent | ProcessExitEvent>;

/** Null: the lines of the hook are formatted by toJson(). */
type KnownHook = LinePattern | null;

/** Returns a function that formats events, each followed by a newline. Its result is overwritten by the next call. */
export function jsonLines(
  options: JsonOptions = {},
  find?: () => WriteLines,
): (events: Iterable<PlainEvent>) => Uint8Array {
  const writer = new JsonLineWriter({ ...options }, find);
  return (events) => writer.format(events);
}

class JsonLineWriter {
  readonly #options: JsonOptions;
  readonly #batch: LineBatch<PlainEvent>;
  readonly #formatProcess: FormatProcess;
  /** The patterns of each hook, by attach point. */
  readonly #hooks = new WeakMap<LoadedHook, KnownHook[]>();
  #lastHook: LoadedHook | undefined;
  #lastPatterns: KnownHook[] = [];
  readonly #exec: LinePattern;
  readonly #exit: LinePattern;

  constructor(options: JsonOptions, find: (() => WriteLines) | undefined) {
    this.#options = options;
    this.#batch = new LineBatch((event) => `${toJson(event, options)}\n`, find);
    this.#formatProcess = (process, related) => selectWriter(options).splitMembers(process.view, related?.view);
    this.#exec = processPattern('process_exec');
    this.#exit = processPattern('process_exit');
  }

  format(events: Iterable<PlainEvent>): Uint8Array {
    const batch = this.#batch;
    const isFormatted = this.#options.fields !== undefined;
    const list = Array.isArray(events) ? (events as readonly PlainEvent[]) : Array.from(events);
    batch.start(list);
    for (const event of list) if (isFormatted || !this.#addLine(event)) batch.addFormatted(event);
    return batch.finish();
  }

  /** Returns false for an event that toJson() formats. */
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
    const hasEnvironment = getTrackedProcess(event.process).context.environment !== undefined;
    if (hasEnvironment || hasAncestors(event, this.#options)) return false;
    const chunk = recordChunk(event);
    this.#prepare(event, chunk);
    const text = this.#batch.texts.end;
    this.#batch.texts.textWithLength(exitPart(event as PlainProcessEvent) + nodePart(event.nodeName));
    const pattern = event.type === 'process_exec' ? this.#exec : this.#exit;
    this.#addRecord(event, chunk, recordStart(event), pattern, text);
    return true;
  }

  #prepare(event: RecordEvent, chunk: RecordChunk): void {
    this.#batch.prepare(chunk.buffer, getTrackedProcess(event.process).context.clock);
  }

  #addRecord(event: RecordEvent, chunk: RecordChunk, at: number, pattern: LinePattern, text: number): void {
    const batch = this.#batch;
    const process = placeProcess(getTrackedProcess(event.process), this.#formatProcess, batch.arena, batch.number);
    batch.add(chunk.offsetInBuffer(at), pattern.placeIn(batch.arena), process, text);
  }

  #findPattern(event: RecordEvent, hook: LoadedHook, chunk: RecordChunk, at: number): KnownHook {
    if (hook !== this.#lastHook) {
      let known = this.#hooks.get(hook);
      if (known === undefined) this.#hooks.set(hook, (known = []));
      this.#lastPatterns = known;
      this.#lastHook = hook;
    }
    const { functions, compiled } = hook;
    const point = functions === undefined && compiled.places === undefined ? 0 : chunk.u16(at + EventHook.attachPoint);
    const pattern = this.#lastPatterns[point];
    if (pattern !== undefined) return pattern;
    if (!isPlainRecord(chunk, at, compiled)) return null;
    const created = hasAncestors(event, this.#options)
      ? undefined
      : createHookPattern(event as never, hook, this.#options);
    return (this.#lastPatterns[point] = created ?? null);
  }
}

/** The pattern of events of the base sensor. Few events of a process are of these types. */
function processPattern(type: PlainProcessEvent['type']): LinePattern {
  const pattern = new LinePattern().fixed(headPart(type));
  pattern.add(LineOp.process, 0).add(LineOp.tid).add(LineOp.process, 1);
  return pattern.add(LineOp.text).add(LineOp.time).fixed('"}\n');
}

/** True for an event that a tracer made from the record of an exec or an exit. */
function isProcessEvent(event: object): event is ExecEvent | ExitEvent {
  return event instanceof ExecEvent || event instanceof ExitEvent;
}
