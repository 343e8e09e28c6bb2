/**
 * Reads single files and links of /proc that the kernel answers from its own memory. Others can wait forever, such as
 * the command line: they are read by lib/native/file-reader.ts.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { decodeString } from '../wire/surrogate-escape.js';
import { hostNamespaces } from './host-namespaces.js';

/** True if this process sees the process ids of the kernel's records: it is in the host's pid namespace. */
export function isInHostPidNamespace(): boolean {
  return isInHostNamespace('pid');
}

/** True if this process is in the host's namespace of this kind. */
export function isInHostNamespace(kind: 'cgroup' | 'mnt' | 'pid' | 'uts'): boolean {
  return hostNamespaces()[kind].includes(parseNamespaceInode(readProcLink(`/proc/self/ns/${kind}`)));
}

export function readProcFile(file: string): string {
  try {
    return decodeBytes(readFileSync(file));
  } catch {
    return ''; // The process has ended, or may not be read.
  }
}

/** Reading a link does not touch the file that it leads to. */
export function readProcLink(file: string): string {
  return decodeBytes(readProcLinkBytes(file));
}

export function readProcLinkBytes(file: string): Buffer {
  try {
    // the file functions of Yarn's PnP ignore the encoding, and return a string
    const target: Buffer | string = readlinkSync(file, 'buffer');
    return typeof target === 'string' ? Buffer.from(target) : target;
  } catch {
    return Buffer.alloc(0);
  }
}

/** Parses the inode number from the target of a link in /proc/PID/ns. */
export function parseNamespaceInode(target: string): number {
  return Number(/\[(\d+)\]$/.exec(target)?.[1] ?? 0);
}

export function decodeBytes(bytes: Buffer): string {
  return decodeString(bytes, 0, bytes.length);
}
