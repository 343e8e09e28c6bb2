/** Reads the running processes of this machine from /proc, with their containers. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyContainer } from '../containers/identify.js';
import type { Context } from './context.js';

export interface ProcProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly uid: number;
  readonly user: string;
  /** Path of the executable. Empty for a kernel thread, and for a process of another user without root. */
  readonly executable: string;
  /** The command line; for a kernel thread its name in brackets. */
  readonly command: string;
  /** Clock ticks between the boot of the machine and the start of the process. */
  readonly startTicks: number;
  readonly containerId?: string;
}

/** Lists all processes by their ids. A process that ends meanwhile is left out. */
export function listProcesses(root = '/proc'): ProcProcess[] {
  const users = readUserNames();
  return listPids(root).flatMap((pid) => readProcess(pid, users, root) ?? []);
}

function listPids(root = '/proc'): number[] {
  return readdirSync(root)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function readProcess(pid: number, users: ReadonlyMap<number, string>, root: string): ProcProcess | undefined {
  const folder = `${root}/${pid}`;
  const stat = readText(`${folder}/stat`);
  const status = readText(`${folder}/status`);
  // the name in parentheses can contain parentheses and spaces
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? NaN);
  if (stat === '' || Number.isNaN(uid)) return undefined;
  const line = readText(`${folder}/cmdline`).replace(/\0+$/, '').replaceAll('\0', ' ');
  const container = identifyContainer(readCgroupPath(folder));
  return {
    pid,
    parentPid: Number(fields[1]),
    uid,
    user: users.get(uid) ?? String(uid),
    executable: readLink(`${folder}/exe`),
    command: line === '' ? `[${name}]` : line,
    startTicks: Number(fields[19]),
    ...(container !== undefined && { containerId: container.id }),
  };
}

/** The path in the unified hierarchy; on hosts with the first version only, that of a controller. */
function readCgroupPath(folder: string): string {
  const lines = readText(`${folder}/cgroup`).split('\n');
  const unified = lines.find((line) => line.startsWith('0::'))?.slice(3);
  return unified ?? lines[0]?.replace(/^\d+:[^:]*:/, '') ?? '';
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readUserNames(): Map<number, string> {
  const lines = readText('/etc/passwd').split('\n');
  return new Map(lines.reverse().map((line) => [Number(line.split(':')[2]), line.split(':')[0] ?? '']));
}

/** A container as people name it. */
export interface ContainerName {
  readonly container: string;
  readonly pod?: string;
  readonly namespace?: string;
}

/** Sources of names are asked again after this time, and at most so often. */
const WAIT_MS = 100;
const WAITS_MAX = 15;

/**
 * Names the containers. Only root can ask runtimes: a tracer without policies does it. Otherwise, a container is called by
 * the beginning of its id.
 */
export async function nameContainers(
  ids: ReadonlySet<string>,
  { api }: Context,
): Promise<(id: string | undefined) => ContainerName | undefined> {
  const names = new Map<string, ContainerName>();
  if (ids.size > 0 && process.geteuid?.() === 0) {
    try {
      await using tracer = await api.openTracer({ containers: true });
      for (let i = 0; i < WAITS_MAX && [...ids].some((id) => !names.has(id)); i++) {
        if (i > 0) await sleep(WAIT_MS);
        for (const { id, name, pod } of tracer.containers()) {
          if (name === undefined) continue;
          names.set(id, { container: name, ...(pod !== undefined && { pod: pod.name, namespace: pod.namespace }) });
        }
      }
    } catch {
      // a kernel that cannot trace has processes as well
    }
  }
  return (id) => (id === undefined ? undefined : (names.get(id) ?? { container: id.slice(0, 12) }));
}

/** Filters of the command line on containers. */
export interface ContainerFilters {
  readonly containers?: readonly RegExp[];
  readonly pods?: readonly RegExp[];
  readonly namespaces?: readonly string[];
  readonly host?: boolean;
}

export function isInContainers(name: ContainerName | undefined, filters: ContainerFilters): boolean {
  const { containers, pods, namespaces, host } = filters;
  return (
    (host !== true || name === undefined) &&
    (containers === undefined || containers.some((each) => name !== undefined && each.test(name.container))) &&
    (pods === undefined || pods.some((each) => name?.pod !== undefined && each.test(name.pod))) &&
    (namespaces === undefined || namespaces.includes(name?.namespace ?? ''))
  );
}

export function formatContainer(name: ContainerName | undefined): string {
  if (name === undefined) return '';
  return name.pod === undefined ? name.container : `${name.namespace ?? ''}/${name.pod}/${name.container}`;
}
