/** Reads the already running processes from /proc, which started before the base sensor. */
import { opendirSync, statSync, type Dir } from 'node:fs';
import type { Capabilities, Container, Credentials, Namespaces, Pod } from '../../types/events.js';
import type { Steps } from '../cooperative.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { machineNamespaces } from './host-namespaces.js';
import { unifiedPath } from './hierarchy.js';
import { inumOf, isInHost, link, text } from './proc-files.js';
import { ProcessImage, splitArgv, type ProcessContext } from './process.js';
import { Whereabouts } from './whereabouts.js';

/** USER_HZ is the unit of starttime in /proc/PID/stat. It is the same on all supported architectures. */
const NS_PER_TICK = 10_000_000n;

export interface ProcEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly startTicks: bigint;
}

export class ProcImage extends ProcessImage {
  readonly #startTicks: bigint;
  #pinned = false;
  readonly bootTimeNs: bigint;
  readonly binary: string;
  readonly executable: string;
  readonly binaryUntrusted: boolean;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly auid: number;
  readonly capabilities: Capabilities;
  readonly credentials: Credentials;
  readonly namespaces: Namespaces;
  readonly cgroupId: bigint;
  readonly #whereabouts: Whereabouts | undefined;
  readonly #known: boolean;

  constructor(context: ProcessContext, entry: ProcEntry, parent: ProcessImage | undefined, root = '/proc') {
    const folder = `${root}/${entry.pid}`;
    const status = readStatus(folder);
    super(context, entry.pid, parent, isNamespaceInit(status) || parent?.inInitTree === true);
    this.#startTicks = entry.startTicks;
    this.#known = status !== undefined;
    this.bootTimeNs = entry.startTicks * NS_PER_TICK;
    const executable = link(`${folder}/exe`);
    this.executable = executable.replace(DELETED, '');
    this.argv = splitArgv(text(`${folder}/cmdline`));
    // A kernel thread has no executable, so its name is used.
    this.binary = this.executable !== '' ? this.executable : (status?.get('Name') ?? '');
    this.cwd = link(`${folder}/cwd`);
    this.auid = Number(text(`${folder}/loginuid`) || 4294967295);
    this.capabilities = capabilitiesOf(status);
    this.credentials = credentialsOf(status);
    this.namespaces = namespacesOf(folder);
    this.binaryUntrusted = !isTrusted(executable, folder, this.namespaces.mnt);
    this.cgroupId = context.cgroups.idOf(unifiedPath(folder));
    const container = context.cgroups.containerOf(this.cgroupId);
    if (container !== undefined) this.#whereabouts = new Whereabouts(container, context.names);
  }

  get container(): Container | undefined {
    return this.#whereabouts?.container;
  }

  get pod(): Pod | undefined {
    return this.#whereabouts?.podOf(this);
  }

  get uid(): number {
    return this.credentials.uid;
  }

  /** What the exec changed is not known any more. */
  get binaryProperties(): undefined {
    return undefined;
  }

  get flags(): string {
    return this.#known ? 'procFS' : 'procFS unknown';
  }

  /** /proc rounds the start time to ticks. The first record whose time rounds to the same tick gives the exact time. */
  override isSame(startLow: number, startHigh: number): boolean {
    if (this.#pinned) return super.isSame(startLow, startHigh);
    const start = (BigInt(startHigh) << 32n) | BigInt(startLow);
    if (start / NS_PER_TICK !== this.#startTicks) return false;
    this.#pinned = true;
    this.startLow = startLow;
    this.startHigh = startHigh;
    return true;
  }
}

const DELETED = / \(deleted\)$/;

/**
 * Whether the executable is the file that its path names on the host. A kernel thread has none. A removed file can no longer
 * be compared: then the process's own mount namespace and root decide.
 */
function isTrusted(executable: string, folder: string, mountNamespace: number): boolean {
  if (!executable.startsWith('/')) return executable === '';
  if (DELETED.test(executable)) {
    return machineNamespaces().mnt.includes(mountNamespace) && link(`${folder}/root`) === '/';
  }
  const own = file(`${folder}/exe`);
  return own !== undefined && (own === file(`/proc/1/root${executable}`) || own === fileOfHost(executable));
}

/** Where the root of process 1 may not be read: our own, if it is the host's. */
function fileOfHost(path: string): string | undefined {
  return isInHost('mnt') ? file(path) : undefined;
}

/** What identifies a file. */
function file(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

const PID = /^\d+$/;

/** The id of every process. */
export function* listPids(root = '/proc'): Steps<Set<number>> {
  const pids = new Set<number>();
  for (const name of namesIn(root)) {
    if (PID.test(name)) pids.add(Number(name));
    yield;
  }
  return pids;
}

function* namesIn(root: string): Generator<string> {
  const folder = opendirSync(root, { bufferSize: 1 });
  try {
    for (let name = nextName(folder); name !== null; name = nextName(folder)) yield name;
  } finally {
    folder.closeSync();
  }
}

/**
 * The kernel does not know the type of a process that ends at this moment. Node.js then asks for it, finds nothing, throws, and
 * drops what it has read: with a buffer of one name, this is only the process that has ended.
 */
function nextName(folder: Dir): string | null {
  for (;;) {
    try {
      return folder.readSync()?.name ?? null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Every process in /proc, with parents before children if possible. */
export function* listProcesses(root = '/proc'): Steps<ProcEntry[]> {
  const entries: ProcEntry[] = [];
  for (const name of namesIn(root)) {
    const entry = PID.test(name) ? readEntry(Number(name), root) : undefined;
    if (entry !== undefined) entries.push(entry);
    yield;
  }
  return entries.sort((a, b) => (a.startTicks < b.startTicks ? -1 : a.startTicks > b.startTicks ? 1 : a.pid - b.pid));
}

/** Returns undefined if there is no such process. */
export function readEntry(pid: number, root = '/proc'): ProcEntry | undefined {
  const stat = text(`${root}/${pid}/stat`);
  // The name is in parentheses, and can contain any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 20) return undefined;
  return { pid, parentPid: Number(fields[1]), startTicks: BigInt(fields[19] as string) };
}

function readStatus(folder: string): Map<string, string> | undefined {
  const lines = text(`${folder}/status`);
  if (lines === '') return undefined;
  const pairs = lines.split('\n').map((line) => line.split(':\t', 2) as [string, string]);
  return new Map(pairs);
}

/** The process ids in each pid namespace, the outermost first. */
function isNamespaceInit(status: Map<string, string> | undefined): boolean {
  const ids = numbersOf(status, 'NSpid');
  return ids.length > 1 && ids.at(-1) === 1;
}

function numbersOf(status: Map<string, string> | undefined, key: string): number[] {
  return (status?.get(key) ?? '').split('\t').map(Number);
}

function credentialsOf(status: Map<string, string> | undefined): Credentials {
  const [uid = 0, euid = 0, suid = 0, fsuid = 0] = numbersOf(status, 'Uid');
  const [gid = 0, egid = 0, sgid = 0, fsgid = 0] = numbersOf(status, 'Gid');
  return { uid, gid, euid, egid, suid, sgid, fsuid, fsgid };
}

function capabilitiesOf(status: Map<string, string> | undefined): Capabilities {
  const mask = (key: string): bigint => BigInt(`0x${status?.get(key) ?? '0'}`);
  return { permitted: mask('CapPrm'), effective: mask('CapEff'), inheritable: mask('CapInh') };
}

function namespacesOf(folder: string): Namespaces {
  const inums = NAMESPACE_NAMES.map(({ key, file }) => [key, inumOf(link(`${folder}/ns/${file}`))] as const);
  return Object.fromEntries(inums) as Record<keyof Namespaces, number>;
}
