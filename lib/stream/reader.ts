/** Turns records from the ring buffer into events in their order, and keeps the process cache up to date. */
import type { TracerEvent } from '../../types/events.js';
import type { NativeSource } from '../native/binding.js';
import type { ProcessCache } from '../process/cache.js';
import {
  EventCgroup,
  EventCgroupGone,
  EventExec,
  EventExit,
  EventFork,
  EventHeader,
  EventHook,
  EventThrottle,
  EventType,
  ProcessFlag,
  RecordLimit,
} from '../wire/layout.gen.js';
import { RecordBuffer, RecordChunk } from '../wire/record-chunk.js';
import { youngArray } from '../wire/young-array.js';
import { createHookEvent } from '../events/events.js';
import type { LoadedHook } from '../events/hook.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';
import { ThrottleEvent } from '../events/throttle.js';
import type { AwaitedWork } from './late-work.js';
import type { LineSink } from './line-sink.js';
import { Throttles } from './throttles.js';

/** Large enough that new buffers are rarely allocated. Small enough that V8 frees them as young objects. */
const RECORD_BUFFER_BYTES = 256 * 1024;
/**
 * Records of about this many bytes become one array of events. Few events are alive at a time, so most of them die
 * before V8 moves them to its old generation. With arrays of 512 KiB, an event costs twice as much in some processes.
 */
const BATCH_BYTES = 64 * 1024;
/**
 * Maximum number of bytes of the records in one chunk. A longer record has a chunk of its own. An event that a program
 * keeps retains its chunk and some small objects: less than 4 KB.
 */
const RECORD_CHUNK_BYTES = 2 * 1024;

/** The result of addLines(). */
export interface ReadLines {
  /** Number of events, whether they were made or not. */
  readonly count: number;
  /** True if the rest of the records has to wait. */
  readonly isWaiting: boolean;
  readonly held: TracerEvent | undefined;
}

/** Returns false for a record that another tracer reports. */
export type AcceptsRecord = (chunk: RecordChunk, at: number) => boolean;

export class RecordReader {
  readonly #source: NativeSource;
  readonly #cache: ProcessCache;
  readonly #hooks: ReadonlyMap<number, LoadedHook>;
  readonly #onDrained: () => void;
  readonly #throttles: Throttles;
  readonly #isEarlier: boolean;
  /** Undefined: all records are reported. */
  accepts: AcceptsRecord | undefined;
  #buffer = new RecordBuffer(Buffer.allocUnsafeSlow(RECORD_BUFFER_BYTES));
  /** The records in the buffer that are not decoded yet. */
  #next = 0;
  #end = 0;
  #hasCopiedAll = false;
  /** True if an event refers to the buffer. */
  #hasEvents = false;

  /**
   * `onDrained` is called for each read, after the records were copied from the kernel and before they are decoded.
   * `isEarlier`: the records are older than what the cache has read from /proc.
   */
  constructor(
    source: NativeSource,
    cache: ProcessCache,
    hooks: ReadonlyMap<number, LoadedHook>,
    onDrained = (): void => undefined,
    throttles = new Throttles(() => false),
    isEarlier = false,
  ) {
    this.#isEarlier = isEarlier;
    this.#source = source;
    this.#cache = cache;
    this.#hooks = hooks;
    this.#onDrained = onDrained;
    this.#throttles = throttles;
  }

  /** Returns the events of the next records, of about BATCH_BYTES; undefined if there was no record. */
  readEvents(): TracerEvent[] | undefined {
    return this.fill() ? this.decode() : undefined;
  }

  /**
   * Copies records from the kernel, unless some wait to be decoded. Returns false if there are none. The addon copies a
   * record only if the longest possible record would fit.
   */
  fill(): boolean {
    if (this.#next < this.#end) return true;
    if (RECORD_BUFFER_BYTES - this.#end <= RecordLimit.RECORD_SIZE_MAX) this.#nextBuffer();
    const start = this.#end;
    const limit = Math.min(RECORD_BUFFER_BYTES, start + BATCH_BYTES + RecordLimit.RECORD_SIZE_MAX);
    this.#end = this.#source.drain(this.#buffer.bytes.subarray(0, limit), start);
    this.#next = start;
    this.#hasCopiedAll = this.#end - start < BATCH_BYTES;
    this.#onDrained();
    return this.#next < this.#end;
  }

  /** True if no record is left that could be read, here or in the ring buffer. */
  get hasEmptied(): boolean {
    return this.#hasCopiedAll && this.#next === this.#end;
  }

  /** The time of the next record that was copied: CLOCK_BOOTTIME. */
  get nextTime(): bigint | undefined {
    const at = this.#next + EventHeader.time;
    return this.#next < this.#end ? this.#buffer.view.getBigUint64(at, true) : undefined;
  }

  /** If a buffer survives a garbage collection, a program keeps events of it: their chunks are copied. */
  #nextBuffer(): void {
    this.#next = 0;
    this.#end = 0;
    if (!this.#hasEvents) return;
    this.#hasEvents = false;
    for (const retained of this.#source.track(this.#buffer)) retained.detachChunks();
    this.#buffer = new RecordBuffer(Buffer.allocUnsafeSlow(RECORD_BUFFER_BYTES));
  }

  /** Must be called after the last read. Afterwards an event retains only its own chunk. */
  end(): void {
    for (const buffer of [...this.#source.takeTracked<RecordBuffer>(), this.#buffer]) buffer.detachChunks();
  }

  /** Returns the events of the records that were copied, up to this time. */
  decode(until?: bigint): TracerEvent[] {
    const events = youngArray<TracerEvent>();
    this.#hasEvents = true;
    const buffer = this.#buffer;
    const end = this.#end;
    let at = this.#next;
    let chunk = new RecordChunk(buffer, at, at);
    let lastChunk: RecordChunk | undefined;
    while (at + EventHeader.sizeof <= end) {
      if (until !== undefined && buffer.view.getBigUint64(at + EventHeader.time, true) > until) break;
      const size = buffer.view.getUint32(at + EventHeader.size, true);
      if (size < EventHeader.sizeof || at + size > end) at = end; // cannot happen: native code has checked the size
      if (at === end) break;
      if (chunk.length > 0 && chunk.length + size > RECORD_CHUNK_BYTES) chunk = new RecordChunk(buffer, at, at);
      chunk.extend(at + size);
      const event = this.accepts?.(chunk, at) === false ? undefined : this.#decodeRecord(chunk, at, size);
      if (event !== undefined) {
        events.push(event);
        if (chunk !== lastChunk) buffer.chunks.push((lastChunk = chunk));
      }
      at += (size + 7) & ~7;
    }
    this.#next = at;
    return events;
  }

  /**
   * Adds the lines of the records that were copied. Ends early when events have to wait for `work`: the last event is
   * then returned instead of its line, if there is one. The records are overwritten later, so an event that is not
   * returned must not be kept.
   */
  addLines(sink: LineSink, work: Pick<AwaitedWork, 'isWaiting'> | undefined): ReadLines {
    const all = new RecordChunk(this.#buffer, this.#next, this.#end);
    let at = this.#next;
    let count = 0;
    let isWaiting = false;
    let held: TracerEvent | undefined;
    const buffer = this.#buffer;
    const end = this.#end;
    while (!isWaiting && at + EventHeader.sizeof <= end) {
      const size = buffer.view.getUint32(at + EventHeader.size, true);
      if (size < EventHeader.sizeof || at + size > end) at = end; // cannot happen: native code has checked the size
      if (at === end) break;
      if (this.#addHookLine(all, at, size, sink, work)) {
        count += 1;
      } else {
        const chunk = new RecordChunk(buffer, at, at + size);
        const event = this.#decodeRecord(chunk, at, size);
        isWaiting = work?.isWaiting === true;
        if (event !== undefined) {
          count += 1;
          // throttle events are kept until the throttling ends
          if (isWaiting || event.type === 'process_throttle') {
            this.#hasEvents = true;
            buffer.chunks.push(chunk);
          }
          if (isWaiting) held = event;
          else sink.addEvents([event]);
        }
      }
      at += (size + 7) & ~7;
    }
    this.#next = at;
    sink.flush();
    return { count, isWaiting, held };
  }

  /** Returns false for a record that is not of a hook, or needs an event. */
  #addHookLine(
    chunk: RecordChunk,
    at: number,
    size: number,
    sink: LineSink,
    work: Pick<AwaitedWork, 'isWaiting'> | undefined,
  ): boolean {
    if (chunk.u16(at + EventHeader.type) !== EventType.EVENT_HOOK || size < EventHook.sizeof) return false;
    const hook = this.#hooks.get(chunk.u32(at + EventHook.hook));
    if (hook === undefined || hook.requests !== undefined || hook.lateMembers !== undefined) return false;
    const process = this.#cache.findForHook(chunk, at);
    // a process that was not known can belong to a container whose name is looked up
    if (work?.isWaiting === true || !sink.addRecord(hook, process, chunk, at)) return false;
    hook.tally.posted += 1;
    return true;
  }

  #decodeRecord(chunk: RecordChunk, at: number, size: number): TracerEvent | undefined {
    const type = chunk.u16(at + EventHeader.type) as (typeof EventType)[keyof typeof EventType];
    switch (type) {
      case EventType.EVENT_HOOK: {
        if (size < EventHook.sizeof) return undefined;
        // Records of a removed hook may still be in the ring buffer.
        const hook = this.#hooks.get(chunk.u32(at + EventHook.hook));
        if (hook === undefined) return undefined;
        hook.tally.posted += 1;
        return createHookEvent(chunk, at, this.#cache.findForHook(chunk, at).view, hook);
      }
      case EventType.EVENT_EXEC: {
        if (size < EventExec.sizeof) return undefined;
        const executed = this.#cache.onExec(chunk, at, size, this.#isEarlier);
        return isThrottled(chunk, at) ? undefined : (new ExecEvent(chunk, at, executed.view) as TracerEvent);
      }
      case EventType.EVENT_EXIT: {
        if (size < EventExit.sizeof) return undefined;
        const exited = this.#cache.onExit(chunk, at);
        if (exited === undefined || isThrottled(chunk, at)) return undefined;
        return new ExitEvent(chunk, at, exited.view) as TracerEvent;
      }
      case EventType.EVENT_FORK:
        if (size >= EventFork.sizeof) this.#cache.onFork(chunk, at);
        return undefined;
      case EventType.EVENT_CGROUP:
        if (size >= EventCgroup.sizeof) this.#cache.onCgroup(chunk, at);
        return undefined;
      case EventType.EVENT_THROTTLE: {
        if (size < EventThrottle.sizeof) return undefined;
        const event = new ThrottleEvent(chunk, at, this.#cache.findByKey(chunk, at + EventThrottle.key).view);
        return this.#throttles.onStart(event) ? (event as TracerEvent) : undefined;
      }
      case EventType.EVENT_CGROUP_GONE:
        if (size >= EventCgroupGone.sizeof) this.#cache.onCgroupGone(chunk, at);
        return undefined;
    }
  }
}

/** True for a record without an event: only the process is needed, for the events of hooks. */
function isThrottled(chunk: RecordChunk, at: number): boolean {
  return (chunk.u16(at + EventHeader.flags) & ProcessFlag.PROCESS_THROTTLED) !== 0;
}
