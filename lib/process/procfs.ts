/** Reads already running processes from /proc. */
import { opendirSync, type Dir } from 'node:fs';
import { basename } from 'node:path';
import type { Capabilities, Credentials, Namespaces } from '../../types/events.js';
import type { Cgroups } from '../containers/cgroups.js';
import type { Steps } from '../cooperative.js';
import { NAMESPACE_NAMES } from '../names/namespaces.js';
import { hostNamespaces } from './host-namespaces.js';
import { readCgroupPath } from './cgroup-hierarchy.js';
import { parseNamespaceInode, readProcFile, readProcLink, readProcLinkBytes } from './proc-files.js';
import type { RunningProcess } from './running-process.js';

export interface ProcEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly startTicks: bigint;
  /** The kernel itself runs it. No process can claim that. */
  readonly isKernelThread?: boolean;
}

/** Reads what /proc shows of the process. What the process itself has chosen is read by ProcfsProcess.readFacts(). */
export function readRunningProcess(entry: ProcEntry, cgroups: Cgroups, root = '/proc'): RunningProcess {
  const folder = `${root}/${entry.pid}`;
  const status = readStatus(folder);
  const isKernelThread = entry.isKernelThread === true;
  const living = isKernelThread ? folder : findThreadFolder(folder);
  const namespaces = readNamespaces(living);
  return {
    pid: entry.pid,
    startTicks: entry.startTicks,
    isKernelThread,
    isKnown: status !== undefined,
    isNamespaceInit: isNamespaceInit(status),
    livingThread: Number(basename(living)),
    name: status?.get('Name') ?? '',
    executable: readProcLinkBytes(`${living}/exe`),
    cwd: readProcLink(`${living}/cwd`),
    auid: Number(readProcFile(`${folder}/loginuid`) || 4294967295),
    capabilities: parseCapabilities(status),
    credentials: parseCredentials(status),
    namespaces,
    hasHostRoot: hostNamespaces().mnt.includes(namespaces.mnt) && readProcLink(`${living}/root`) === '/',
    cgroupId: cgroups.findId(readCgroupPath(folder)),
  };
}

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
