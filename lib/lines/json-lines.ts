/**
 * JSON lines as bytes. An ordinary event of a hook is written straight from its record, between fragments of bytes that
 * are cached with its hook and its process. Events of processes use the fragments of the process. All other events are formatted by toJson(), and so are the fragments: there
 * is one format.
 */
import type { PlainEvent, PlainOf, ProcessExecEvent, ProcessExitEvent } from '../../types/events.js';
import type { JsonOptions } from '../../types/output.js';
import type { LoadedHook } from '../events/hook.js';
import { findLoadedHook } from '../events/hook-events.js';
import { recordChunk, recordStart, type RecordEvent } from '../events/record.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';
import { exitPart, hasAncestors, headPart, nodePart, toJson } from '../output/json.js';
import { getTrackedProcess, type ViewedProcess } from '../process/view.js';
import { EventHeader, EventHook, Value } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import { createHookFragments, isOrdinary, type HookFragments } from './hook-fragments.js';
import { LineBuffer } from './line-buffer.js';
import { findProcessFragments } from './process-fragments.js';
import { TIME_BYTES, TimeWriter } from './time-bytes.js';

/** Bytes of a thread id, and of the end of a line: `"}` and a newline. */
const TID_BYTES = 10;
const END_BYTES = 3;
const QUOTE = 0x22;
const BRACE = 0x7d;
const NEWLINE = 0x0a;

type PlainProcessEvent = PlainOf<ProcessExecEvent | ProcessExitEvent>;

/** Null: the lines of the hook are formatted by toJson(). */
type KnownHook = HookFragments | null;

/**
 * Returns a function that formats events, each followed by a newline. Its result is overwritten by the next call.
 */
export function jsonLines(options: JsonOptions = {}): (events: Iterable<PlainEvent>) => Uint8Array {
  const writer = new JsonLineWriter(options);
  return (events) => writer.format(events);
}

class JsonLineWriter {
  readonly #options: JsonOptions;
  readonly #buffer = new LineBuffer();
  readonly #time = new TimeWriter();
  /** The fragments of each hook, by attach point. */
  readonly #hooks = new WeakMap<LoadedHook, KnownHook[]>();
  #lastHook: LoadedHook | undefined;
  #lastFragments: KnownHook[] = [];

  constructor(options: JsonOptions) {
    this.#options = { ...options };
  }

  format(events: Iterable<PlainEvent>): Uint8Array {
    const to = this.#buffer;
    to.reset();
    for (const event of events) this.#writeLine(to, event);
    return to.bytes.subarray(0, to.end);
  }

  #writeLine(to: LineBuffer, event: PlainEvent): void {
    const start = to.end;
    const hook = this.#options.fields === undefined ? findLoadedHook(event) : undefined;
    if (hook !== undefined && this.#writeHookEvent(to, event as unknown as RecordEvent, hook)) return;
    if (hook === undefined && isProcessEvent(event) && this.#writeProcessEvent(to, event)) return;
    to.end = start;
    to.text(toJson(event, this.#options));
    to.reserve(1);
    to.bytes[to.end++] = NEWLINE;
  }

  /** Returns false for an event that is not ordinary. The buffer then has a part of the line. */
  #writeHookEvent(to: LineBuffer, event: RecordEvent, hook: LoadedHook): boolean {
    const chunk = recordChunk(event);
    const at = recordStart(event);
    if (!isOrdinary(chunk, at)) return false;
    const fragments = this.#findHook(event, hook, chunk, at);
    if (fragments === null) return false;
    const { head, values, middle } = fragments;
    const process = getTrackedProcess(event.process);
    const parts = findProcessFragments(process, this.#options, this);
    if (parts.head !== head) parts.useHead(head);
    const { before, after } = parts;
    to.reserve(before.length + TID_BYTES + after.length + middle.length);
    to.fragment(before);
    to.integer(event.tid);
    to.fragment(after);
    if (values.length === 0) to.fragment(middle);
    for (let i = 0; i < values.length; i++) if (!(values[i] as (typeof values)[0])(to, chunk, at)) return false;
    return this.#writeEnd(to, chunk, at, process);
  }

  /** Returns false for an event that is formatted by toJson(). The buffer then has a part of the line. */
  #writeProcessEvent(to: LineBuffer, event: ExecEvent | ExitEvent): boolean {
    const process = getTrackedProcess(event.process);
    const hasEnvironment = process.context.environment !== undefined;
    if (hasEnvironment || this.#options.fields !== undefined || hasAncestors(event, this.#options)) return false;
    const { beforeText, after } = findProcessFragments(process, this.#options, this);
    // few events of a process are of these types
    to.text(headPart(event.type) + beforeText);
    to.reserve(TID_BYTES + after.length);
    to.integer(event.tid);
    to.fragment(after);
    to.text(exitPart(event as PlainProcessEvent) + nodePart(event.nodeName));
    return this.#writeEnd(to, recordChunk(event), recordStart(event), process);
  }

  /** Writes the time and the end of the line. */
  #writeEnd(to: LineBuffer, chunk: RecordChunk, at: number, process: ViewedProcess): boolean {
    to.reserve(TIME_BYTES + END_BYTES);
    const time = at + EventHeader.time;
    if (!this.#time.write(to, chunk.u32(time), chunk.u32(time + 4), process.context.clock)) return false;
    const { bytes, end } = to;
    bytes[end] = QUOTE;
    bytes[end + 1] = BRACE;
    bytes[end + 2] = NEWLINE;
    to.end = end + END_BYTES;
    return true;
  }

  #findHook(event: RecordEvent, hook: LoadedHook, chunk: RecordChunk, at: number): KnownHook {
    const count = chunk.u16(at + EventHook.valuesCount);
    if (chunk.u32(at + EventHeader.size) < EventHook.sizeof + count * Value.sizeof) return null;
    if (hook !== this.#lastHook) {
      let known = this.#hooks.get(hook);
      if (known === undefined) this.#hooks.set(hook, (known = []));
      this.#lastFragments = known;
      this.#lastHook = hook;
    }
    const { functions, compiled } = hook;
    const point = functions === undefined && compiled.places === undefined ? 0 : chunk.u16(at + EventHook.attachPoint);
    const fragments = this.#lastFragments[point];
    if (fragments !== undefined && (fragments === null || fragments.values.length <= count)) return fragments;
    return fragments === undefined ? this.#createHook(event, hook, point, count) : null;
  }

  #createHook(event: RecordEvent, hook: LoadedHook, point: number, count: number): KnownHook {
    const { args, returnArg } = hook.compiled;
    if (count < args.length + (returnArg === undefined ? 0 : 1)) return null;
    const isFormatted = hasAncestors(event, this.#options);
    const created = isFormatted ? undefined : createHookFragments(event as never, hook, this.#options);
    return (this.#lastFragments[point] = created ?? null);
  }
}

/** True for an event that a tracer made from the record of an exec or an exit. */
function isProcessEvent(event: object): event is ExecEvent | ExitEvent {
  return event instanceof ExecEvent || event instanceof ExitEvent;
}
