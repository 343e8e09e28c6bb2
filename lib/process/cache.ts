/**
 * Which process each record is about. Records come in the order of the kernel, so that the last image seen of a number is
 * the right one; start time and exec count prove it, and tell when a record was lost in between.
 */
import { EventExec, EventExit, EventFork, EventHook, ProcessKey } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import { ExecImage, ForkImage, type ProcessImage, type ProcessContext } from './process.js';
import { listProcesses, ProcImage, procShowsAllProcesses, readEntry, type ProcEntry } from './procfs.js';

/** Ended processes that are kept: hooks still run after the exit record. */
const EXITED_KEPT = 4096;

export class ProcessCache {
  readonly #context: ProcessContext;
  readonly #images = new Map<number, ProcessImage>();
  readonly #exited: ProcessImage[] = [];

  constructor(context: ProcessContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#images.size;
  }

  /** Takes over what runs already. Call it after the sensor is attached: nothing is missed in between. */
  seed(entries: readonly ProcEntry[] = procShowsAllProcesses() ? listProcesses() : []): void {
    for (const entry of entries) {
      const parent = this.#images.get(entry.parentPid);
      this.#images.set(entry.pid, new ProcImage(this.#context, entry, parent));
    }
  }

  onFork(slab: Slab, at: number): void {
    const pid = slab.u32(at + EventFork.keyTgid);
    const parent = this.#parent(slab, at + EventFork.parentTgid, at + EventFork.parentStartTime);
    const image =
      parent === undefined
        ? this.#fromProc(pid, slab, at + EventFork.key)
        : new ForkImage(this.#context, pid, parent, slab, at);
    this.#adopt(image, slab, at + EventFork.key);
  }

  onExec(slab: Slab, at: number, size: number): ExecImage {
    const pid = slab.u32(at + EventExec.keyTgid);
    const before = this.#sameProcess(pid, slab, at + EventExec.key);
    const parent = before?.parentImage ?? this.#parent(slab, at + EventExec.parentTgid, at + EventExec.parentStartTime);
    const cloned = before === undefined || before instanceof ForkImage;
    const image = new ExecImage(this.#context, pid, parent, slab.copy(at, size), cloned);
    this.#adopt(image, slab, at + EventExec.key);
    return image;
  }

  /** undefined when the exit was told already. */
  onExit(slab: Slab, at: number): ProcessImage | undefined {
    const image = this.find(slab, at + EventExit.key);
    if (image.exited) return undefined;
    image.exited = true;
    this.#exited.push(image);
    if (this.#exited.length > 2 * EXITED_KEPT) {
      for (const old of this.#exited.splice(0, EXITED_KEPT)) this.#forget(old);
    }
    return image;
  }

  ofHook(slab: Slab, at: number): ProcessImage {
    return this.find(slab, at + EventHook.key);
  }

  /** The image that a struct process_key names; made from /proc, or a stub, when its record was lost. */
  find(slab: Slab, key: number): ProcessImage {
    const pid = slab.u32(key + ProcessKey.tgid);
    const known = this.#images.get(pid);
    const count = slab.u32(key + ProcessKey.execCount);
    if (
      known !== undefined &&
      known.isSame(slab.u32(key + ProcessKey.startTime), slab.u32(key + ProcessKey.startTime + 4))
    ) {
      if (known.execCount === count) return known;
      if (known.execCount === -1) {
        known.execCount = count;
        return known;
      }
    }
    return this.#adopt(this.#fromProc(pid, slab, key), slab, key);
  }

  /** After exits were lost: forgets what no longer runs. */
  sweep(): void {
    if (!procShowsAllProcesses()) return;
    const running = new Set(listProcesses().map((entry) => entry.pid));
    for (const [pid, image] of this.#images) {
      if (!running.has(pid) && !image.exited) this.#images.delete(pid);
    }
  }

  #parent(slab: Slab, tgidAt: number, startAt: number): ProcessImage | undefined {
    const image = this.#images.get(slab.u32(tgidAt));
    return image?.isSame(slab.u32(startAt), slab.u32(startAt + 4)) === true ? image : undefined;
  }

  #sameProcess(pid: number, slab: Slab, key: number): ProcessImage | undefined {
    const image = this.#images.get(pid);
    const start = key + ProcessKey.startTime;
    return image?.isSame(slab.u32(start), slab.u32(start + 4)) === true ? image : undefined;
  }

  #fromProc(pid: number, slab: Slab, key: number): ProcessImage {
    const startTicks = slab.u64(key + ProcessKey.startTime) / 10_000_000n;
    const running = procShowsAllProcesses() ? readEntry(pid) : undefined;
    const isIt = running !== undefined && running.startTicks === startTicks;
    const parent = isIt ? this.#images.get(running.parentPid) : undefined;
    // the root of a stub is a folder that is not there: everything stays empty, and flagged
    return new ProcImage(this.#context, { pid, parentPid: 0, startTicks }, parent, isIt ? '/proc' : '/proc/none');
  }

  #adopt<T extends ProcessImage>(image: T, slab: Slab, key: number): T {
    image.startLow = slab.u32(key + ProcessKey.startTime);
    image.startHigh = slab.u32(key + ProcessKey.startTime + 4);
    image.execCount = slab.u32(key + ProcessKey.execCount);
    this.#images.set(image.pid, image);
    return image;
  }

  #forget(image: ProcessImage): void {
    if (this.#images.get(image.pid) === image) this.#images.delete(image.pid);
  }
}
