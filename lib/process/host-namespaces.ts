/** Finds the namespaces of the host, for `is_host` in the JSON export. */
import { readlinkSync } from 'node:fs';
import type { Namespaces } from '../../types/events.js';

type Inodes = Readonly<Record<keyof Namespaces, readonly number[]>>;

/**
 * Inode numbers of the initial namespaces, which the kernel fixes in include/uapi/linux/nsfs.h. The numbers of `mnt`
 * and `net` are fixed only since Linux 6.18. Before, they were the first numbers that the kernel assigned at boot.
 */
export const INITIAL_INODES: Inodes = {
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

/**
 * Returns the namespaces of pid 1 if /proc shows the host's pid 1 and can be read, otherwise the kernel's fixed
 * numbers.
 */
export function readHostNamespaces(read: ReadNamespace = readNamespaceLink): Inodes {
  const readInode = (name: string): number => Number(/\[(\d+)\]$/.exec(read(name))?.[1]);
  try {
    if (!INITIAL_INODES.pid.includes(readInode('pid'))) return INITIAL_INODES; // This is pid 1 of a container.
    return Object.assign({}, INITIAL_INODES, { mnt: [readInode('mnt')], net: [readInode('net')] });
  } catch {
    return INITIAL_INODES;
  }
}

let cachedNamespaces: Inodes | undefined;

/** Returns the namespaces of the host. They are read once. */
export function hostNamespaces(): Inodes {
  return (cachedNamespaces ??= readHostNamespaces());
}

function readNamespaceLink(name: string): string {
  return readlinkSync(`/proc/1/ns/${name}`);
}
