/**
 * Finds the process of each record. Records come in the order of the kernel, so the last entry of a process id is the
 * right one. Its start time and exec count confirm that. If they differ, a record was lost.
 */
import {
  EventCgroup,
  EventCgroupGone,
  EventExec,
  EventExit,
  EventFlag,
  EventFork,
  EventHeader,
  EventHook,
  EventType,
  ProcessKey,
} from '../wire/layout.gen.js';
import { ArgumentBudget } from './argument-budget.js';
import { Cgroups } from '../containers/cgroups.js';
import { runCooperatively, type Steps } from '../cooperative.js';
import { RecordChunk } from '../wire/record-chunk.js';
import { RecordSlab } from '../wire/record-slab.js';
import { ExecProcess, ForkProcess, type TrackedProcess, type ProcessContext } from './process.js';
import { isInHostPidNamespace } from './proc-files.js';
import { decodeList, type KernelList, type ListedProcess, type ProcessTexts } from './listed-processes.js';
import { listPids, listProcesses, readProcEntry, readRunningProcess, type ProcEntry } from './procfs.js';
import { ProcfsProcess } from './running-process.js';

/** Number of ended processes that are retained, because hooks still run after the exit record. */
const ENDED_MAX = 4096;
/** Maximum number of bytes of ended processes. One exec record can have 45 KB. */
const ENDED_BYTES_MAX = 8 * 1024 * 1024;

/** After so many execs, the processes among them that still run get their own copy of the record. */
const RECENT_MAX = 1024;

/** Number of running processes whose arguments are read at the same time. */
const READS_MAX = 64;

/** Number of processes of the kernel's list whose texts are read in one call. */
const LISTED_READS = 32;

/** Number of these calls at the same time. More results would occupy the event loop for too long. */
const READS_AHEAD = 4;

/** Number of processes of the list that are handled without a pause: a few microseconds each. */
const STEP = 32;

/** Bits of RunningSource.check(). */
const CHECK_FORGED = 1;
const CHECK_HOST_FILE = 2;

/** The kernel's list of processes, and what is read for it. */
export interface RunningSource {
  /** Resolves with undefined if the kernel cannot list them. */
  readonly list: () => Promise<KernelList | undefined>;
  /** Reads the files of these processes of the list, in its order; undefined for one that does not answer in time. */
  readonly readTexts: (threads: Uint32Array, missing: Uint8Array) => Promise<readonly (ProcessTexts | undefined)[]>;
  /** Called after the texts are read. Resolves with a sum for each process: CHECK_FORGED, CHECK_HOST_FILE. */
  readonly check: () => Promise<Uint8Array>;
  /** Resolves with the ids of all processes that /proc shows. */
  readonly listPids: () => Promise<Uint32Array>;
}

interface EndedProcess {
  readonly tracked: TrackedProcess;
  /** The bytes that were counted for it. */
  readonly bytes: number;
}

export class ProcessCache {
  readonly #context: ProcessContext;
  readonly #argumentBudget: ArgumentBudget;
  readonly #processes = new Map<number, TrackedProcess>();
  readonly #ended: EndedProcess[] = [];
  #endedBytes = 0;
  /** The processes that ended since the previous batch: their last events are about to be formatted. */
  #endedNow: TrackedProcess[] = [];
  readonly #slab = new RecordSlab();
  /** The last processes whose record is in the slab. */
  #recent: ExecProcess[] = [];
  #epoch = 0;
  #recordEpoch = 0;
  #isSweeping = false;
  #isSweepWanted = false;

  /** Without `cgroups`, no process belongs to a container. */
  constructor(context: Omit<ProcessContext, 'cgroups'> & Partial<ProcessContext>, argumentBytesMax?: number) {
    this.#argumentBudget = new ArgumentBudget(argumentBytesMax);
    this.#context = { cgroups: new Cgroups(), ...context };
  }

  /** Number of execs whose arguments were shortened. */
  get shortenedArguments(): number {
    return this.#argumentBudget.shortened;
  }

  get size(): number {
    return this.#processes.size;
  }

  /**
   * Adds the already running processes from the kernel's list, or from /proc where the kernel has no list. It is called
   * after the sensor is attached, so that no process is missed in between, and before records are read. The work yields
   * to the event loop.
   */
  async addRunningProcesses(source?: RunningSource): Promise<void> {
    if (!isInHostPidNamespace()) return;
    const list = await source?.list();
    if (source === undefined || list === undefined) return this.addFromProc();
    const pids = source.listPids();
    pids.catch(() => undefined); // it is awaited later
    const added = await runCooperatively(this.#addListed(list, source.readTexts));
    await runCooperatively(this.#applyChecks(added, await source.check()));
    await runCooperatively(this.#addUnlisted(await pids));
  }

  /** A security module or a patched kernel can hide processes from its list that /proc shows. */
  *#addUnlisted(pids: Uint32Array): Steps<void> {
    const entries: ProcEntry[] = [];
    for (const pid of pids.filter((each) => !this.#processes.has(each))) {
      const entry = readProcEntry(pid);
      if (entry !== undefined) entries.push(entry);
      yield;
    }
    if (entries.length > 0) yield* this.#addProcesses(entries);
  }

  /** `known` are entries of /proc. */
  addFromProc(known?: readonly ProcEntry[]): Promise<void> {
    return runCooperatively(this.#addProcesses(known));
  }

  /** Returns what was added, in the order of the list. */
  *#addListed(list: KernelList, readTexts: RunningSource['readTexts']): Steps<(ProcfsProcess | undefined)[]> {
    const reading: Promise<readonly (ProcessTexts | undefined)[]>[] = [];
    const readNext = (): void => {
      const from = reading.length * LISTED_READS;
      if (from >= list.threads.length) return;
      const [threads, missing] = [
        list.threads.subarray(from, from + LISTED_READS),
        list.missing.subarray(from, from + LISTED_READS),
      ];
      const next = readTexts(threads, missing);
      next.catch(() => undefined); // it is awaited later
      reading.push(next);
    };
    for (let i = 0; i < READS_AHEAD; i++) readNext();
    const added: (ProcfsProcess | undefined)[] = [];
    let texts: readonly (ProcessTexts | undefined)[] = [];
    for (const listed of decodeList(list)) {
      const at = added.length % LISTED_READS;
      if (at === 0) {
        yield reading[added.length / LISTED_READS]?.then((result) => void (texts = result));
        readNext();
      } else if (at % STEP === 0) {
        yield;
      }
      listed.setTexts(texts[at]);
      added.push(this.#processes.has(listed.pid) ? undefined : this.#addListedProcess(listed));
    }
    return added;
  }

  #addListedProcess(listed: ListedProcess): ProcfsProcess {
    const { startLow, startHigh, execCount } = listed;
    const tracked = new ProcfsProcess(this.#context, listed, this.#processes.get(listed.parentPid), listed.facts);
    tracked.setKey(startLow, startHigh, execCount);
    this.#processes.set(listed.pid, tracked);
    return tracked;
  }

  /**
   * Marks processes whose executable may not be the one of their exec. Called after the texts were read: an executable that
   * was replaced before remains replaced until the next exec, and after an exec in between nobody knows whose it is.
   */
  *#applyChecks(added: readonly (ProcfsProcess | undefined)[], checks: Uint8Array): Steps<void> {
    for (let i = 0; i < added.length; i++) {
      if (i % STEP === 0) yield;
      const tracked = added[i];
      const check = checks[i] ?? CHECK_FORGED;
      if ((check & CHECK_FORGED) !== 0 && tracked !== undefined) tracked.isForged = true;
      if ((check & CHECK_HOST_FILE) !== 0) tracked?.setHostFile();
    }
  }

  *#addProcesses(known: readonly ProcEntry[] | undefined): Steps<void> {
    const entries = known ?? (yield* listProcesses());
    let reading: Promise<void>[] = [];
    for (const entry of entries) {
      yield;
      if (this.#processes.has(entry.pid)) continue;
      const parent = this.#processes.get(entry.parentPid);
      const tracked = new ProcfsProcess(this.#context, readRunningProcess(entry, this.#context.cgroups), parent);
      this.#processes.set(entry.pid, tracked);
      reading.push(tracked.readFacts());
      if (reading.length < READS_MAX) continue;
      yield waitForAll(reading);
      reading = [];
    }
    yield waitForAll(reading);
  }

  onCgroup(chunk: RecordChunk, at: number): void {
    const length = chunk.u16(at + EventCgroup.pathLength);
    const path = chunk.readString(at + chunk.u32(at + EventCgroup.pathOffset), length);
    this.#context.cgroups.onCreated(chunk.u64(at + EventCgroup.id), path);
  }

  onCgroupGone(chunk: RecordChunk, at: number): void {
    this.#context.cgroups.onRemoved(chunk.u64(at + EventCgroupGone.id));
  }

  onFork(chunk: RecordChunk, at: number): void {
    const pid = chunk.u32(at + EventFork.keyTgid);
    const parent = this.#findParent(chunk, at + EventFork.parentTgid, at + EventFork.parentStartTime);
    const tracked =
      parent === undefined
        ? this.#createFromProc(pid, chunk, at + EventFork.key)
        : new ForkProcess(this.#context, pid, parent, chunk, at);
    this.#insert(tracked, chunk, at + EventFork.key);
  }

  /** `isEarlier`: what was read from /proc is newer than the record. */
  onExec(chunk: RecordChunk, at: number, size: number, isEarlier = false): ExecProcess {
    const pid = chunk.u32(at + EventExec.keyTgid);
    const same = this.#findSame(pid, chunk, at + EventExec.key);
    // /proc does not show what the process executed before
    const before = isEarlier && same instanceof ProcfsProcess ? undefined : same;
    const parent =
      before?.parentProcess ??
      this.#findParent(chunk, at + EventExec.parentTgid, at + EventExec.parentStartTime) ??
      same?.parentProcess;
    // The process lives longer than the event, which is the only one with the environment.
    const kept = Math.max(size - chunk.u32(at + EventExec.environmentLength), EventExec.sizeof);
    const offset = chunk.u32(at + EventExec.argvOffset);
    const length = Math.min(chunk.u32(at + EventExec.argvLength), Math.max(kept - offset, 0));
    const allowed = this.#argumentBudget.allow(length);
    const record =
      allowed === length
        ? this.#slab.copy(chunk, at, kept)
        : chunk.copyRecord(at, Math.max(offset + allowed, EventExec.sizeof), (copy) => shortenArguments(copy, allowed));
    const tracked = new ExecProcess(this.#context, pid, parent, record, before);
    this.#argumentBudget.hold(tracked, allowed);
    this.#insert(tracked, chunk, at + EventExec.key);
    if (this.#recent.push(tracked) >= RECENT_MAX) this.#ownRecords();
    return tracked;
  }

  /** Gives the processes that still run their own copy of the record: few of them would retain many slabs. */
  #ownRecords(): void {
    for (const tracked of this.#recent) if (!tracked.exited) tracked.ownRecord();
    this.#recent = [];
  }

  /** True if another tracer has reported the same exec, fork or exit. */
  isReported(chunk: RecordChunk, at: number): boolean {
    const type = chunk.u16(at + EventHeader.type);
    if (type !== EventType.EVENT_EXEC && type !== EventType.EVENT_FORK && type !== EventType.EVENT_EXIT) return false;
    const key = at + EventHeader.sizeof;
    const known = this.#findSame(chunk.u32(key + ProcessKey.tgid), chunk, key);
    if (known === undefined || known instanceof ProcfsProcess) return false;
    if (type === EventType.EVENT_EXIT) return known.exited;
    const later = (known.execCount - chunk.u32(key + ProcessKey.execCount)) | 0;
    return type === EventType.EVENT_FORK ? later >= 0 : later > 0 || (later === 0 && known instanceof ExecProcess);
  }

  /** Makes records from which restore() makes the running processes again. At most about `bytesMax` bytes. */
  saveRunning(bytesMax: number): Buffer {
    const records: Buffer[] = [];
    let bytes = 0;
    // parents come before their children
    const running = [...this.#processes.values()].filter(({ ended }) => !ended);
    for (const tracked of running.sort((a, b) => Number(a.bootTimeNs - b.bootTimeNs))) {
      const record = tracked.toRecord();
      if (record === undefined) continue;
      bytes += record.length;
      if (bytes > bytesMax) break;
      records.push(record);
    }
    return Buffer.concat(records);
  }

  /** Restores processes from the records of saveRunning(). Must be called after addRunningProcesses(). */
  restore(records: Buffer): void {
    const chunk = RecordChunk.from(records);
    for (let at = 0; at + EventHeader.sizeof <= records.length;) {
      const size = chunk.u32(at + EventHeader.size);
      if (size < EventFork.sizeof || at + size > records.length) return; // the rest is empty
      const type = chunk.u16(at + EventHeader.type);
      if (type === EventType.EVENT_FORK) this.onFork(chunk, at);
      else if (type === EventType.EVENT_EXEC && size >= EventExec.sizeof) this.onExec(chunk, at, size, true);
      at += (size + 7) & ~7;
    }
  }

  /** Returns undefined if the exit has already been reported. */
  onExit(chunk: RecordChunk, at: number): TrackedProcess | undefined {
    const tracked = this.findByKey(chunk, at + EventExit.key);
    if (tracked.exited) return undefined;
    tracked.exited = true;
    this.#keepEnded(tracked);
    return tracked;
  }

  #keepEnded(tracked: TrackedProcess): void {
    tracked.ended = true;
    this.#endedNow.push(tracked);
    const bytes = tracked.totalBytes;
    this.#ended.push({ tracked, bytes });
    this.#endedBytes += bytes;
    if (this.#ended.length <= 2 * ENDED_MAX && this.#endedBytes <= 2 * ENDED_BYTES_MAX) return;
    let removed = 0;
    for (let retained = this.#ended.length; retained > ENDED_MAX || this.#endedBytes > ENDED_BYTES_MAX; retained--) {
      const old = this.#ended[removed++] as EndedProcess;
      this.#endedBytes -= old.bytes;
      this.#remove(old.tracked);
    }
    this.#ended.splice(0, removed);
  }

  /**
   * Must be called for each batch of records that was read, before they are decoded. `execsLost` means that exec
   * records were lost since the previous call. The known processes, and also this batch, can then be out of date.
   */
  onDrained(execsLost: boolean): void {
    for (const tracked of this.#endedNow) tracked.forgetTexts();
    this.#endedNow = [];
    this.#recordEpoch = this.#epoch;
    if (execsLost) this.#epoch++;
  }

  findForHook(chunk: RecordChunk, at: number): TrackedProcess {
    return this.findByKey(chunk, at + EventHook.key);
  }

  /**
   * Finds the process of a struct process_key. If its record was lost, the process is read from /proc. If it has ended,
   * it is a stub.
   */
  findByKey(chunk: RecordChunk, key: number): TrackedProcess {
    const pid = chunk.u32(key + ProcessKey.tgid);
    const known = this.#processes.get(pid);
    const count = chunk.u32(key + ProcessKey.execCount);
    if (
      known !== undefined &&
      known.hasStartTime(chunk.u32(key + ProcessKey.startTime), chunk.u32(key + ProcessKey.startTime + 4))
    ) {
      if (known.execCount === count) return known;
      // Hooks can run during an exec: the kernel has counted the exec, but has not written the record yet.
      if (known.epoch === this.#epoch && (known.execCount + 1) >>> 0 === count) return known;
      if (known.execCount === -1) {
        known.execCount = count;
        return known;
      }
    }
    return this.#insert(this.#createFromProc(pid, chunk, key), chunk, key);
  }

  /** Finds the running process with this id. */
  findRunning(pid: number): TrackedProcess | undefined {
    const tracked = this.#processes.get(pid);
    return tracked?.ended === true ? undefined : tracked;
  }

  /** Finds a process by exec id. The process runs, has executed another program since, or has ended recently. */
  findByExecId(execId: string): TrackedProcess | undefined {
    const pid = /:(\d+)$/.exec(Buffer.from(execId, 'base64').toString('latin1'))?.[1];
    let tracked = pid === undefined ? undefined : this.#processes.get(Number(pid));
    while (tracked !== undefined && tracked.execId !== execId) tracked = tracked.formerProcess;
    return tracked;
  }

  /** Lists the running children of the process, also those that it started before its last exec. */
  listChildren(tracked: TrackedProcess): TrackedProcess[] {
    return [...this.#processes.values()].filter(
      ({ ended, parentProcess }) => !ended && isSameProcess(parentProcess, tracked),
    );
  }

  /**
   * Marks processes that no longer run as ended. It is called when exit records were lost. Ended processes are retained
   * for a while, because their exit record may still come. The work yields to the event loop. A call during a sweep
   * causes another sweep afterwards.
   */
  async sweepEnded(): Promise<void> {
    this.#isSweepWanted = true;
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      while (this.#isSweepWanted) {
        this.#isSweepWanted = false;
        await runCooperatively(this.#markEnded());
      }
    } catch (error) {
      // Ended processes are retained until the next sweep.
      process.emitWarning(error as Error);
    } finally {
      this.#isSweeping = false;
    }
  }

  *#markEnded(): Steps<void> {
    if (!isInHostPidNamespace()) return;
    // A process that starts from here on may be missing in the list.
    const before = [...this.#processes.values()];
    const running = yield* listPids();
    for (const tracked of before) {
      yield;
      if (!running.has(tracked.pid) && !tracked.ended) this.#keepEnded(tracked);
    }
  }

  #findParent(chunk: RecordChunk, tgidAt: number, startAt: number): TrackedProcess | undefined {
    const tracked = this.#processes.get(chunk.u32(tgidAt));
    return tracked?.hasStartTime(chunk.u32(startAt), chunk.u32(startAt + 4)) === true ? tracked : undefined;
  }

  #findSame(pid: number, chunk: RecordChunk, key: number): TrackedProcess | undefined {
    const tracked = this.#processes.get(pid);
    const start = key + ProcessKey.startTime;
    return tracked?.hasStartTime(chunk.u32(start), chunk.u32(start + 4)) === true ? tracked : undefined;
  }

  #createFromProc(pid: number, chunk: RecordChunk, key: number): TrackedProcess {
    const startTicks = chunk.u64(key + ProcessKey.startTime) / 10_000_000n;
    const found = isInHostPidNamespace() ? readProcEntry(pid) : undefined;
    const isIt = found !== undefined && found.startTicks === startTicks;
    // If only the exec record was lost, the previous entry of the process still has the right parent.
    const before = this.#findSame(pid, chunk, key)?.parentProcess;
    const parent = before ?? (isIt ? this.#processes.get(found.parentPid) : undefined);
    const entry = { pid, parentPid: 0, startTicks, isKernelThread: isIt && found.isKernelThread === true };
    // The /proc folder of a stub does not exist, so its fields stay empty and its flags contain `unknown`.
    const running = readRunningProcess(entry, this.#context.cgroups, isIt ? '/proc' : '/proc/none');
    const tracked = new ProcfsProcess(this.#context, running, parent);
    // The record of its exec would be the proof.
    tracked.isForged = !entry.isKernelThread;
    if (isIt) this.#context.onLateWork?.(tracked.readFacts());
    return tracked;
  }

  #insert<T extends TrackedProcess>(tracked: T, chunk: RecordChunk, key: number): T {
    tracked.startLow = chunk.u32(key + ProcessKey.startTime);
    tracked.startHigh = chunk.u32(key + ProcessKey.startTime + 4);
    tracked.execCount = chunk.u32(key + ProcessKey.execCount);
    const before = this.#processes.get(tracked.pid);
    tracked.epoch = this.#recordEpoch;
    if (before !== undefined) before.ended = true;
    this.#processes.set(tracked.pid, tracked);
    return tracked;
  }

  #remove(tracked: TrackedProcess): void {
    if (this.#processes.get(tracked.pid) === tracked) this.#processes.delete(tracked.pid);
  }
}

/** The arguments are the last part of the copy. */
function shortenArguments(copy: Buffer, length: number): void {
  copy.writeUInt32LE(length, EventExec.argvLength);
  const flags = copy.readUInt16LE(EventExec.headerFlags) | EventFlag.EVENT_ARGV_TRUNCATED;
  copy.writeUInt16LE(flags, EventExec.headerFlags);
}

async function waitForAll(work: readonly Promise<void>[]): Promise<void> {
  await Promise.all(work);
}

/** Entries of one process have the same start time. It is known when a record of the process was read. */
function isSameProcess(a: TrackedProcess | undefined, b: TrackedProcess): boolean {
  if (a === undefined || a === b) return a === b;
  const isKnown = b.startLow !== 0 || b.startHigh !== 0;
  return isKnown && a.pid === b.pid && a.startLow === b.startLow && a.startHigh === b.startHigh;
}
