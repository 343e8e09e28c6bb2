/** Which namespaces are the host's own: `is_host` of the JSON export. */
import { readlinkSync } from 'node:fs';
import type { Namespaces } from '../../types/events.js';

type Inodes = Readonly<Record<keyof Namespaces, readonly number[]>>;

/**
 * Inode numbers of the initial namespaces: fixed in the kernel's include/uapi/linux/nsfs.h. Those of `mnt` and `net` are fixed
 * since 6.18 only; before, they were the first ones handed out at boot.
 */
const INITIAL: Inodes = {
  uts: [4026531838],
  ipc: [4026531839],
  mnt: [4026531832, 4026531840, 4026531841],
  pid: [4026531836],
  pidForChildren: [4026531836],
  net: [4026531833, 4026531840, 4026531992],
  time: [4026531834],
  timeForChildren: [4026531834],
  cgroup: [4026531835],
  user: [4026531837],
};

export type ReadNamespace = (name: string) => string;

/** Those of pid 1 where /proc shows the host's pid 1 and may be read; else the kernel's well-known numbers. */
export function hostNamespaces(read: ReadNamespace = readProc): Inodes {
  const inode = (name: string): number => Number(/\[(\d+)\]$/.exec(read(name))?.[1]);
  try {
    if (!INITIAL.pid.includes(inode('pid'))) return INITIAL; // pid 1 of a container
    return { ...INITIAL, mnt: [inode('mnt')], net: [inode('net')] };
  } catch {
    return INITIAL;
  }
}

let known: Inodes | undefined;

/** Those of this machine, read once. */
export function machineNamespaces(): Inodes {
  return (known ??= hostNamespaces());
}

function readProc(name: string): string {
  return readlinkSync(`/proc/1/ns/${name}`);
}
