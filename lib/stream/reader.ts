/** Turns records from the ring buffer into events in their order, and keeps the process cache up to date. */
import type { TracerEvent } from '../../types/events.js';
import type { NativeSource } from '../native/binding.js';
import type { ProcessCache } from '../process/cache.js';
import { EventExec, EventExit, EventFork, EventHeader, EventHook, EventType, RecordRoom } from '../wire/layout.gen.js';
import { Slab, viewOf } from '../wire/slab.js';
import { hookEvent } from '../events/events.js';
import type { LoadedHook } from '../events/hook.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';

/**
 * Records of about this many bytes become one array of events. Few events are alive at a time, so most of them die before
 * V8 moves them to its old generation. With arrays of 512 KiB, an event costs twice as much in some processes.
 */
const BATCH_BYTES = 64 * 1024;
/** The longest record may begin just before the end of a batch. */
const BUFFER_BYTES = BATCH_BYTES + RecordRoom.RECORD_MAX;
/**
 * Most bytes of the records in one slab, except that each slab has a whole record. An event that a program keeps holds
 * its slab and some small objects: less than 4 KB.
 */
const SLAB_BYTES = 3 * 1024;

export class RecordReader {
  readonly #source: NativeSource;
  readonly #cache: ProcessCache;
  readonly #hooks: ReadonlyMap<number, LoadedHook>;
  readonly #onDrained: () => void;
  /** It is filled by each read. The slabs of earlier events have left it by then. */
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  readonly #view = viewOf(this.#buffer);
  #slabs: Slab[] = [];

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
    this.release();
    const end = this.#source.drain(this.#buffer, 0);
    this.#onDrained();
    return end === 0 ? undefined : this.#decode(end);
  }

  /** Lets the events of the last read hold nothing of the reader. */
  release(): void {
    for (const slab of this.#slabs) slab.leave();
    this.#slabs = [];
  }

  #decode(end: number): TracerEvent[] {
    const events: TracerEvent[] = [];
    let slab = this.#slabAt(0);
    let kept: Slab | undefined;
    let at = 0;
    while (at + EventHeader.sizeof <= end) {
      const size = this.#view.getUint32(at + EventHeader.size, true);
      if (size < EventHeader.sizeof || at + size > end) break; // cannot happen: native code has checked the size
      if (slab.length > 0 && slab.length + size > SLAB_BYTES) slab = this.#slabAt(at);
      slab.extend(at + size);
      const event = this.#decodeOne(slab, at, size);
      if (event !== undefined) {
        events.push(event);
        if (slab !== kept) this.#slabs.push((kept = slab));
      }
      at += (size + 7) & ~7;
    }
    return events;
  }

  #slabAt(start: number): Slab {
    return new Slab(this.#buffer, this.#view, start, start);
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
      default:
        return undefined;
    }
  }
}
