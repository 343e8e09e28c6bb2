/** Reads single files and links of /proc. */
import { readFileSync, readlinkSync } from 'node:fs';
import { decodeText } from '../wire/text.js';
import { machineNamespaces } from './host-namespaces.js';

/** True if the process ids in this /proc are the same as in the kernel's records. */
export function procShowsAllProcesses(): boolean {
  return isInHost('pid');
}

/** True if this process is in the host's namespace of this kind. */
export function isInHost(kind: 'cgroup' | 'mnt' | 'pid' | 'uts'): boolean {
  return machineNamespaces()[kind].includes(inumOf(link(`/proc/self/ns/${kind}`)));
}

export function text(file: string): string {
  try {
    return decoded(readFileSync(file));
  } catch {
    return ''; // The process has ended, or may not be read.
  }
}

export function link(file: string): string {
  try {
    return decoded(readlinkSync(file, 'buffer'));
  } catch {
    return '';
  }
}

/** The inode number in a link of /proc/PID/ns. */
export function inumOf(target: string): number {
  return Number(/\[(\d+)\]$/.exec(target)?.[1] ?? 0);
}

function decoded(bytes: Buffer): string {
  return decodeText(bytes, 0, bytes.length);
}
