/** Reads the already running processes from /proc, which started before the base sensor. */
import { opendirSync, type Dir } from 'node:fs';
import { basename } from 'node:path';
import type { Capabilities, Container, Credentials, Namespaces, Pod } from '../../types/events.js';
import type { Steps } from '../cooperative.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { hostNamespaces } from './host-namespaces.js';
import { readCgroupPath } from './cgroup-hierarchy.js';
import { decodeBytes, parseNamespaceInode, readProcFile, readProcLink, readProcLinkBytes } from './proc-files.js';
import { TrackedProcess, splitArgv, type ProcessContext, type ProcessFacts } from './process.js';
import { ProcessContainer } from './process-container.js';

/** USER_HZ is the unit of starttime in /proc/PID/stat. It is the same on all supported architectures. */
const NS_PER_TICK = 10_000_000n;

export interface ProcEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly startTicks: bigint;
  /** The kernel itself runs it. No process can claim that. */
  readonly isKernelThread?: boolean;
}

export class ProcfsProcess extends TrackedProcess {
  readonly #startTicks: bigint;
  #hasExactStart = false;
  readonly bootTimeNs: bigint;
  readonly binary: string;
  readonly executable: string;
  /** The executable is not the file of the exec, or the kernel cannot tell. */
  isForged = false;
  readonly #isKernelThread: boolean;
  readonly cwd: string;
  readonly auid: number;
  readonly capabilities: Capabilities;
  readonly credentials: Credentials;
  readonly namespaces: Namespaces;
  readonly cgroupId: bigint;
  readonly #container: ProcessContainer | undefined;
  readonly #isKnown: boolean;
  /** The id of a thread that has not ended. */
  readonly #livingThread: number;
  /** The target of the link to the executable. */
  readonly #link: Buffer;
  readonly #isDeleted: boolean;
  readonly #hasHostRoot: boolean;
  #argv: readonly string[] = [];
  #facts: ProcessFacts | undefined;

  constructor(context: ProcessContext, entry: ProcEntry, parent: TrackedProcess | undefined, root = '/proc') {
    const folder = `${root}/${entry.pid}`;
    const status = readStatus(folder);
    super(context, entry.pid, parent, isNamespaceInit(status) || parent?.inInitTree === true);
    this.#startTicks = entry.startTicks;
    this.#isKnown = status !== undefined;
    this.bootTimeNs = entry.startTicks * NS_PER_TICK;
    this.#isKernelThread = entry.isKernelThread === true;
    const living = this.#isKernelThread ? folder : findThreadFolder(folder);
    this.#livingThread = Number(basename(living));
    this.#link = readProcLinkBytes(`${living}/exe`);
    const executable = decodeBytes(this.#link);
    this.#isDeleted = DELETED.test(executable);
    this.executable = executable.replace(DELETED, '');
    // Only the kernel can name a kernel thread. The name of any other process proves nothing.
    this.binary = this.#isKernelThread ? (status?.get('Name') ?? '') : this.executable;
    this.cwd = readProcLink(`${living}/cwd`);
    this.auid = Number(readProcFile(`${folder}/loginuid`) || 4294967295);
    this.capabilities = parseCapabilities(status);
    this.credentials = parseCredentials(status);
    this.namespaces = readNamespaces(living);
    this.#hasHostRoot = hostNamespaces().mnt.includes(this.namespaces.mnt) && readProcLink(`${living}/root`) === '/';
    this.cgroupId = context.cgroups.findId(readCgroupPath(folder));
    const container = context.cgroups.findContainer(this.cgroupId);
    if (container !== undefined) this.#container = new ProcessContainer(container, context.names);
  }

  get container(): Container | undefined {
    return this.#container?.container;
  }

  get pod(): Pod | undefined {
    return this.#container?.resolvePod(this);
  }

  get uid(): number {
    return this.credentials.uid;
  }

  /** It is not known how the exec changed the credentials. */
  get binaryProperties(): undefined {
    return undefined;
  }

  /** Reads the arguments and the executable's file. Without an answer in time, or without memory, they stay unknown. */
  async readFacts(): Promise<void> {
    const { readFacts } = this.context;
    if (this.#link.length === 0 || readFacts === undefined) return;
    try {
      this.#facts = await readFacts(this.#livingThread, this.#link);
    } catch {
      this.#facts = undefined;
    }
    this.#argv = splitArgv(decodeBytes(this.#facts?.commandLine ?? Buffer.alloc(0)));
  }

  get argv(): readonly string[] {
    return this.#argv;
  }

  /**
   * False if the executable is the file that its path names on the host, and the file of the exec. A removed file cannot
   * be compared: then mount namespace and root of the process must be the host's.
   */
  get binaryUntrusted(): boolean {
    if (this.#isKernelThread) return false;
    if (this.isForged || !this.executable.startsWith('/')) return true;
    return this.#isDeleted ? !this.#hasHostRoot : this.#facts?.runsHostFile !== true;
  }

  get flags(): string {
    if (!this.#isKnown) return 'procFS unknown';
    if (this.#isKernelThread) return 'procFS';
    if (this.binary === '') return 'procFS errorFilename';
    return this.#facts === undefined ? 'procFS errorArgs' : 'procFS';
  }

  /** /proc rounds the start time to ticks. The first record with the same tick gives the exact time. */
  override hasStartTime(startLow: number, startHigh: number): boolean {
    if (this.#hasExactStart) return super.hasStartTime(startLow, startHigh);
    const start = (BigInt(startHigh) << 32n) | BigInt(startLow);
    if (start / NS_PER_TICK !== this.#startTicks) return false;
    this.#hasExactStart = true;
    this.startLow = startLow;
    this.startHigh = startHigh;
    return true;
  }
}

const DELETED = / \(deleted\)$/;

/** Threads of a process that are asked for its executable. The first one that has not ended knows it. */
const THREADS_MAX = 64;

/** Returns the id of a thread of the process that still runs; the process's own if there is none. */
export function findLivingThread(pid: number): number {
  return Number(basename(findThreadFolder(`/proc/${pid}`)));
}

/** Finds the folder of a thread that still runs. The leader of a process can end before the other threads. */
function findThreadFolder(folder: string): string {
  if (readProcLink(`${folder}/exe`) !== '') return folder;
  try {
    let asked = 0;
    for (const name of listNames(`${folder}/task`)) {
      const thread = `${folder}/task/${name}`;
      if (readProcLink(`${thread}/exe`) !== '') return thread;
      if (++asked === THREADS_MAX) break;
    }
  } catch {
    // The process has ended.
  }
  return folder;
}

/** A flag of the kernel's threads in /proc/PID/stat. */
const PF_KTHREAD = 0x00200000;

const PID = /^\d+$/;

/** Lists the ids of all processes. */
export function* listPids(root = '/proc'): Steps<Set<number>> {
  const pids = new Set<number>();
  for (const name of listNames(root)) {
    if (PID.test(name)) pids.add(Number(name));
    yield;
  }
  return pids;
}

function* listNames(root: string): Generator<string> {
  const folder = opendirSync(root, { bufferSize: 1 });
  try {
    for (let name = readNextName(folder); name !== null; name = readNextName(folder)) yield name;
  } finally {
    folder.closeSync();
  }
}

/**
 * Reads the next name; null at the end. For a process that ends at this moment, the kernel reports no file type.
 * Node.js then calls stat, throws ENOENT and drops its buffer. With a buffer of one name, only the ended process is
 * dropped.
 */
function readNextName(folder: Dir): string | null {
  for (;;) {
    try {
      return folder.readSync()?.name ?? null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Lists all processes in /proc, with parents before children if possible. */
export function* listProcesses(root = '/proc'): Steps<ProcEntry[]> {
  const entries: ProcEntry[] = [];
  for (const name of listNames(root)) {
    const entry = PID.test(name) ? readProcEntry(Number(name), root) : undefined;
    if (entry !== undefined) entries.push(entry);
    yield;
  }
  return entries.sort((a, b) => (a.startTicks < b.startTicks ? -1 : a.startTicks > b.startTicks ? 1 : a.pid - b.pid));
}

/** Returns undefined if there is no such process. */
export function readProcEntry(pid: number, root = '/proc'): ProcEntry | undefined {
  const stat = readProcFile(`${root}/${pid}/stat`);
  // The name is in parentheses, and can contain any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 20) return undefined;
  const isKernelThread = (Number(fields[6]) & PF_KTHREAD) !== 0;
  return { pid, parentPid: Number(fields[1]), startTicks: BigInt(fields[19] as string), isKernelThread };
}

function readStatus(folder: string): Map<string, string> | undefined {
  const lines = readProcFile(`${folder}/status`);
  if (lines === '') return undefined;
  const pairs = lines.split('\n').map((line) => line.split(':\t', 2) as [string, string]);
  return new Map(pairs);
}

/** True for pid 1 of a pid namespace that is not the outermost. NSpid lists the ids from the outermost namespace on. */
function isNamespaceInit(status: Map<string, string> | undefined): boolean {
  const ids = parseNumbers(status, 'NSpid');
  return ids.length > 1 && ids.at(-1) === 1;
}

function parseNumbers(status: Map<string, string> | undefined, key: string): number[] {
  return (status?.get(key) ?? '').split('\t').map(Number);
}

function parseCredentials(status: Map<string, string> | undefined): Credentials {
  const [uid = 0, euid = 0, suid = 0, fsuid = 0] = parseNumbers(status, 'Uid');
  const [gid = 0, egid = 0, sgid = 0, fsgid = 0] = parseNumbers(status, 'Gid');
  return { uid, gid, euid, egid, suid, sgid, fsuid, fsgid };
}

function parseCapabilities(status: Map<string, string> | undefined): Capabilities {
  const parseMask = (key: string): bigint => BigInt(`0x${status?.get(key) ?? '0'}`);
  return { permitted: parseMask('CapPrm'), effective: parseMask('CapEff'), inheritable: parseMask('CapInh') };
}

function readNamespaces(folder: string): Namespaces {
  const inums = NAMESPACE_NAMES.map(
    ({ key, file }) => [key, parseNamespaceInode(readProcLink(`${folder}/ns/${file}`))] as const,
  );
  return Object.fromEntries(inums) as Record<keyof Namespaces, number>;
}
