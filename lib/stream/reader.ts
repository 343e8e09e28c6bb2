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
  EventType,
  RecordRoom,
} from '../wire/layout.gen.js';
import { Block, Slab } from '../wire/slab.js';
import { hookEvent } from '../events/events.js';
import type { LoadedHook } from '../events/hook.js';
import { ExecEvent, ExitEvent } from '../events/process-events.js';

/** Large enough that new blocks are rarely allocated; small enough that they die young. */
const BLOCK_BYTES = 256 * 1024;
/**
 * Records of about this many bytes become one array of events. Few events are alive at a time, so most of them die before
 * V8 moves them to its old generation. With arrays of 512 KiB, an event costs twice as much in some processes.
 */
const BATCH_BYTES = 64 * 1024;
/**
 * Most bytes of the records in one slab, except that each slab has a whole record. An event that a program keeps holds
 * its slab and some small objects: less than 4 KB.
 */
const SLAB_BYTES = 2 * 1024;

export class RecordReader {
  readonly #source: NativeSource;
  readonly #cache: ProcessCache;
  readonly #hooks: ReadonlyMap<number, LoadedHook>;
  readonly #onDrained: () => void;
  #block = new Block(Buffer.allocUnsafeSlow(BLOCK_BYTES));
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
    if (BLOCK_BYTES - this.#offset <= RecordRoom.RECORD_MAX) this.#nextBlock();
    const start = this.#offset;
    const room = Math.min(BLOCK_BYTES, start + BATCH_BYTES + RecordRoom.RECORD_MAX);
    const end = this.#source.drain(this.#block.bytes.subarray(0, room), start);
    this.#offset = end;
    this.#onDrained();
    return end === start ? undefined : this.#decode(start, end);
  }

  /** A block that a garbage collection leaves has events that a program keeps. */
  #nextBlock(): void {
    for (const left of this.#source.watch(this.#block)) left.leave();
    this.#block = new Block(Buffer.allocUnsafeSlow(BLOCK_BYTES));
    this.#offset = 0;
  }

  /** Must be called after the last read: from then on no event holds more than its slab. */
  end(): void {
    for (const block of [...this.#source.watched<Block>(), this.#block]) block.leave();
  }

  #decode(start: number, end: number): TracerEvent[] {
    const events: TracerEvent[] = [];
    const block = this.#block;
    let slab = new Slab(block, start, start);
    let kept: Slab | undefined;
    let at = start;
    while (at + EventHeader.sizeof <= end) {
      const size = block.view.getUint32(at + EventHeader.size, true);
      if (size < EventHeader.sizeof || at + size > end) break; // cannot happen: native code has checked the size
      if (slab.length > 0 && slab.length + size > SLAB_BYTES) slab = new Slab(block, at, at);
      slab.extend(at + size);
      const event = this.#decodeOne(slab, at, size);
      if (event !== undefined) {
        events.push(event);
        if (slab !== kept) block.slabs.push((kept = slab));
      }
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
      case EventType.EVENT_CGROUP_GONE:
        if (size >= EventCgroupGone.sizeof) this.#cache.onCgroupGone(slab, at);
        return undefined;
      default:
        return undefined;
    }
  }
}
