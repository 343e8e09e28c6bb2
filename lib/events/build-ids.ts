/** Reads build ids of mapped files from the files, if it is certain that a file is the one that was mapped. */
import { closeSync, constants, fstatSync, openSync, type BigIntStats } from 'node:fs';
import type { FileArgument } from '../../types/events.js';
import { fileOf, mappedBuildId } from '../elf/elf.js';

/** Number of files whose build id is cached. A cached null means that the file has none. */
const REMEMBERED_MAX = 4096;
const remembered = new Map<string, string | null>();

/** The build id in hexadecimal; undefined if the file has none, or its path now leads to another file. */
export function buildIdOfMapped(pid: number, { path, inode, device }: FileArgument): string | undefined {
  // The first path is the one that the process sees. It does not work after the process has ended.
  for (const place of [`/proc/${pid}/root${path}`, path]) {
    const found = readAt(place, (stat) => stat.ino === inode && isDevice(stat.dev, device));
    if (found !== undefined) return found ?? undefined;
  }
  return undefined;
}

/** Reads the build id; null if the file is the right one but has no build id, undefined if it is not the right one. */
function readAt(path: string, isWanted: (stat: BigIntStats) => boolean): string | null | undefined {
  let fd: number;
  try {
    // Another process chose this path. If it is a pipe, opening it must not block this process.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile() || !isWanted(stat)) return undefined;
    const key = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
    if (!remembered.has(key)) remember(key, mappedBuildId(fileOf(fd, Number(stat.size))) ?? null);
    return remembered.get(key);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function remember(key: string, id: string | null): void {
  const [oldest] = remembered.keys();
  if (remembered.size >= REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
  remembered.set(key, id);
}

/**
 * Compares with the number of stat(2): the low 8 bits of the minor number, 12 bits of the major number, then the rest
 * of the minor number.
 */
function isDevice(dev: bigint, { major, minor }: FileArgument['device']): boolean {
  return dev === BigInt((minor & 0xff) | (major << 8)) + (BigInt(minor >>> 8) << 20n);
}
