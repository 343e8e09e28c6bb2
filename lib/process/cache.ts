/**
 * Finds the process of each record. Records come in the order of the kernel, so the last image of a process id is the
 * right one. Its start time and exec count prove that; if they differ, a record was lost in between.
 */
import {
  EventCgroup,
  EventCgroupGone,
  EventExec,
  EventExit,
  EventFork,
  EventHook,
  ProcessKey,
} from '../wire/layout.gen.js';
import { Cgroups } from '../containers/cgroups.js';
import { runCooperatively, type Steps } from '../cooperative.js';
import type { Slab } from '../wire/slab.js';
import { ExecImage, ForkImage, type ProcessImage, type ProcessContext } from './process.js';
import { procShowsAllProcesses } from './proc-files.js';
import { listPids, listProcesses, ProcImage, readEntry, type ProcEntry } from './procfs.js';

/** Number of ended processes that are kept, because hooks still run after the exit record. */
const EXITED_KEPT = 4096;
/** Most bytes that ended processes may use. One exec record can have 45 KB. */
const EXITED_BYTES = 8 * 1024 * 1024;

interface Ended {
  readonly image: ProcessImage;
  /** The bytes that were counted for it. */
  readonly bytes: number;
}

export class ProcessCache {
  readonly #context: ProcessContext;
  readonly #images = new Map<number, ProcessImage>();
  readonly #exited: Ended[] = [];
  #exitedBytes = 0;
  #epoch = 0;
  #adoptedEpoch = 0;
  #sweeps = false;
  #sweepWanted = false;

  /** Without `cgroups`, no process belongs to a container. */
  constructor(context: Omit<ProcessContext, 'cgroups'> & Partial<ProcessContext>) {
    this.#context = { cgroups: new Cgroups(), ...context };
  }

  get size(): number {
    return this.#images.size;
  }

  /**
   * Adds the already running processes. It is called after the sensor is attached, so that no process is missed in
   * between. The event loop goes on.
   */
  seed(entries?: readonly ProcEntry[]): Promise<void> {
    return runCooperatively(this.#seed(entries));
  }

  *#seed(known: readonly ProcEntry[] | undefined): Steps<void> {
    const entries = known ?? (procShowsAllProcesses() ? yield* listProcesses() : []);
    for (const entry of entries) {
      yield;
      // A record may have been read already. It is more precise than /proc.
      if (this.#images.has(entry.pid)) continue;
      const parent = this.#images.get(entry.parentPid);
      this.#images.set(entry.pid, new ProcImage(this.#context, entry, parent));
    }
  }

  onCgroup(slab: Slab, at: number): void {
    const length = slab.u16(at + EventCgroup.pathLength);
    const path = slab.text(at + slab.u32(at + EventCgroup.pathOffset), length);
    this.#context.cgroups.onCreated(slab.u64(at + EventCgroup.id), path);
  }

  onCgroupGone(slab: Slab, at: number): void {
    this.#context.cgroups.onGone(slab.u64(at + EventCgroupGone.id));
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
    const image = new ExecImage(this.#context, pid, parent, slab.copy(at, size), before);
    this.#adopt(image, slab, at + EventExec.key);
    return image;
  }

  /** Returns undefined if the exit has already been reported. */
  onExit(slab: Slab, at: number): ProcessImage | undefined {
    const image = this.find(slab, at + EventExit.key);
    if (image.exited) return undefined;
    image.exited = true;
    this.#end(image);
    return image;
  }

  #end(image: ProcessImage): void {
    image.ended = true;
    const bytes = image.heldBytes;
    this.#exited.push({ image, bytes });
    this.#exitedBytes += bytes;
    if (this.#exited.length <= 2 * EXITED_KEPT && this.#exitedBytes <= 2 * EXITED_BYTES) return;
    let forget = 0;
    for (let kept = this.#exited.length; kept > EXITED_KEPT || this.#exitedBytes > EXITED_BYTES; kept--) {
      const old = this.#exited[forget++] as Ended;
      this.#exitedBytes -= old.bytes;
      this.#forget(old.image);
    }
    this.#exited.splice(0, forget);
  }

  /**
   * Must be called for each block of records that was read, before they are decoded. `execsLost` says that exec records
   * were lost since the previous call. Then everything known so far, and also this block, may be out of date.
   */
  onDrained(execsLost: boolean): void {
    this.#adoptedEpoch = this.#epoch;
    if (execsLost) this.#epoch++;
  }

  ofHook(slab: Slab, at: number): ProcessImage {
    return this.find(slab, at + EventHook.key);
  }

  /**
   * The image that a struct process_key names. If its record was lost, the image is made from /proc, or it is a stub.
   */
  find(slab: Slab, key: number): ProcessImage {
    const pid = slab.u32(key + ProcessKey.tgid);
    const known = this.#images.get(pid);
    const count = slab.u32(key + ProcessKey.execCount);
    if (
      known !== undefined &&
      known.isSame(slab.u32(key + ProcessKey.startTime), slab.u32(key + ProcessKey.startTime + 4))
    ) {
      if (known.execCount === count) return known;
      // Hooks can run during an exec: after the kernel has counted the exec, and before it writes the record.
      if (known.epoch === this.#epoch && (known.execCount + 1) >>> 0 === count) return known;
      if (known.execCount === -1) {
        known.execCount = count;
        return known;
      }
    }
    return this.#adopt(this.#fromProc(pid, slab, key), slab, key);
  }

  /** The image that the process with this id runs now. */
  running(pid: number): ProcessImage | undefined {
    const image = this.#images.get(pid);
    return image?.ended === true ? undefined : image;
  }

  /** The image with this id: of a process that runs or has ended lately. */
  ofExecId(execId: string): ProcessImage | undefined {
    const pid = /:(\d+)$/.exec(Buffer.from(execId, 'base64').toString('latin1'))?.[1];
    let image = pid === undefined ? undefined : this.#images.get(Number(pid));
    while (image !== undefined && image.execId !== execId) image = image.formerImage;
    return image;
  }

  /** Running processes that the process of this image has started, also before its last exec. */
  childrenOf(image: ProcessImage): ProcessImage[] {
    return [...this.#images.values()].filter(({ ended, parentImage }) => !ended && isSameProcess(parentImage, image));
  }

  /**
   * After exits were lost: marks processes that no longer run as ended. They are kept for a while, as their exit may
   * still come. The event loop goes on. A call during a sweep makes another one follow.
   */
  async sweep(): Promise<void> {
    this.#sweepWanted = true;
    if (this.#sweeps) return;
    this.#sweeps = true;
    try {
      while (this.#sweepWanted) {
        this.#sweepWanted = false;
        await runCooperatively(this.#sweep());
      }
    } catch (error) {
      // Ended processes are kept until the next sweep.
      process.emitWarning(error as Error);
    } finally {
      this.#sweeps = false;
    }
  }

  *#sweep(): Steps<void> {
    if (!procShowsAllProcesses()) return;
    // A process that begins from here on may be missing in the list.
    const before = [...this.#images.values()];
    const running = yield* listPids();
    for (const image of before) {
      yield;
      if (!running.has(image.pid) && !image.ended) this.#end(image);
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
    // If only the exec was lost, the previous image of the process still has the right parent.
    const before = this.#sameProcess(pid, slab, key)?.parentImage;
    const parent = before ?? (isIt ? this.#images.get(running.parentPid) : undefined);
    // The /proc folder of a stub does not exist, so all its fields stay empty, and its flags say so.
    return new ProcImage(this.#context, { pid, parentPid: 0, startTicks }, parent, isIt ? '/proc' : '/proc/none');
  }

  #adopt<T extends ProcessImage>(image: T, slab: Slab, key: number): T {
    image.startLow = slab.u32(key + ProcessKey.startTime);
    image.startHigh = slab.u32(key + ProcessKey.startTime + 4);
    image.execCount = slab.u32(key + ProcessKey.execCount);
    const before = this.#images.get(image.pid);
    image.epoch = this.#adoptedEpoch;
    if (before !== undefined) before.ended = true;
    this.#images.set(image.pid, image);
    return image;
  }

  #forget(image: ProcessImage): void {
    if (this.#images.get(image.pid) === image) this.#images.delete(image.pid);
  }
}

/** Images of one process have its start time in common, as soon as a record of it was read. */
function isSameProcess(a: ProcessImage | undefined, b: ProcessImage): boolean {
  if (a === undefined || a === b) return a === b;
  const isKnown = b.startLow !== 0 || b.startHigh !== 0;
  return isKnown && a.pid === b.pid && a.startLow === b.startLow && a.startHigh === b.startHigh;
}
