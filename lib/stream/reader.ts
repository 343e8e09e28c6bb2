/** Turns records from the ring buffer into events in their order, and keeps the process cache up to date. */
import type { TracerEvent } from '../../types/events.js';
import type { NativeSource } from '../native/binding.js';
import type { ProcessCache } from '../process/cache.js';
import {
  EventCgroup,
  EventExec,
  EventExit,
  EventFork,
  EventHeader,
  EventHook,
  EventType,
  RecordRoom,
} from '../wire/layout.gen.js';
import { Slab } from '../wire/slab.js';
import { ExecEvent, ExitEvent, hookEvent, type LoadedHook } from '../events/events.js';

/** Large enough that new slabs are rarely allocated; small enough that an event that is kept needs little memory. */
const SLAB_BYTES = 512 * 1024;
/**
 * Records of about this many bytes become one array of events. Few events are alive at a time, so most of them die before
 * V8 moves them to its old generation. With arrays of a whole slab, an event costs twice as much in some processes.
 */
const BATCH_BYTES = 64 * 1024;

export class RecordReader {
  readonly #source: NativeSource;
  readonly #cache: ProcessCache;
  readonly #hooks: ReadonlyMap<number, LoadedHook>;
  readonly #onDrained: () => void;
  #slab = Slab.allocate(SLAB_BYTES);
  #offset = 0;

  /** `onDrained` is called for each read, after the records were copied from the kernel and before they are decoded. */
  constructor(
    source: NativeSource,
    cache: ProcessCache,
    hooks: ReadonlyMap<number, LoadedHook>,
    onDrained = (): void => undefined,
  ) {
    this.#source = source;
    this.#cache = cache;
    this.#hooks = hooks;
    this.#onDrained = onDrained;
  }

  /**
   * Returns the events of the next records, of about BATCH_BYTES; undefined if there was no record. The addon begins no
   * record where the longest one might not fit.
   */
  read(): TracerEvent[] | undefined {
    if (SLAB_BYTES - this.#offset <= RecordRoom.RECORD_MAX) {
      this.#slab = Slab.allocate(SLAB_BYTES);
      this.#offset = 0;
    }
    const start = this.#offset;
    const room = Math.min(SLAB_BYTES, start + BATCH_BYTES + RecordRoom.RECORD_MAX);
    const end = this.#source.drain(this.#slab.bytes.subarray(0, room), start);
    this.#offset = end;
    this.#onDrained();
    return end === start ? undefined : this.#decode(this.#slab, start, end);
  }

  #decode(slab: Slab, start: number, end: number): TracerEvent[] {
    const events: TracerEvent[] = [];
    let at = start;
    while (at + EventHeader.sizeof <= end) {
      const size = slab.u32(at + EventHeader.size);
      if (size < EventHeader.sizeof || at + size > end) break; // cannot happen: native code has checked the size
      const event = this.#decodeOne(slab, at, size);
      if (event !== undefined) events.push(event);
      at += (size + 7) & ~7;
    }
    return events;
  }

  #decodeOne(slab: Slab, at: number, size: number): TracerEvent | undefined {
    switch (slab.u16(at + EventHeader.type)) {
      case EventType.EVENT_HOOK: {
        if (size < EventHook.sizeof) return undefined;
        // Records of a removed hook may still be in the ring buffer.
        const hook = this.#hooks.get(slab.u32(at + EventHook.hook));
        if (hook === undefined) return undefined;
        hook.tally.posted += 1;
        return hookEvent(slab, at, this.#cache.ofHook(slab, at).view, hook);
      }
      case EventType.EVENT_EXEC:
        if (size < EventExec.sizeof) return undefined;
        return new ExecEvent(slab, at, this.#cache.onExec(slab, at, size).view) as TracerEvent;
      case EventType.EVENT_EXIT: {
        if (size < EventExit.sizeof) return undefined;
        const image = this.#cache.onExit(slab, at);
        return image === undefined ? undefined : (new ExitEvent(slab, at, image.view) as TracerEvent);
      }
      case EventType.EVENT_FORK:
        if (size >= EventFork.sizeof) this.#cache.onFork(slab, at);
        return undefined;
      case EventType.EVENT_CGROUP:
        if (size >= EventCgroup.sizeof) this.#cache.onCgroup(slab, at);
        return undefined;
      default:
        return undefined;
    }
  }
}
