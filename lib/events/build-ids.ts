/** Reads the build ids of mapped files, if it is certain that a file is the one that was mapped. */
import { closeSync, constants, fstatSync, openSync, type BigIntStats } from 'node:fs';
import type { FileArgument } from '../../types/events.js';
import { readMappedBuildId } from '../elf/elf.js';
import { toFileBytes } from '../elf-files/host-files.js';

/** Number of files whose build id is cached. A cached null means that the file has none. */
const CACHED_MAX = 4096;
const cachedBuildIds = new Map<string, string | null>();

/** Returns the build id in hexadecimal; undefined if the file has none, or its path now leads to another file. */
export function findFileBuildId(pid: number, { path, inode, device }: FileArgument): string | undefined {
  // The first path is the one that the process sees. It does not work after the process has ended.
  for (const candidate of [`/proc/${pid}/root${path}`, path]) {
    const found = readBuildId(candidate, (stat) => stat.ino === inode && isDevice(stat.dev, device));
    if (found !== undefined) return found ?? undefined;
  }
  return undefined;
}

/**
 * Reads the build id. Returns null if the wanted file has no build id, and undefined if the path leads to another file.
 */
function readBuildId(path: string, isWanted: (stat: BigIntStats) => boolean): string | null | undefined {
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
    if (!cachedBuildIds.has(key)) cacheBuildId(key, readMappedBuildId(toFileBytes(fd, Number(stat.size))) ?? null);
    return cachedBuildIds.get(key);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function cacheBuildId(key: string, id: string | null): void {
  const [oldest] = cachedBuildIds.keys();
  if (cachedBuildIds.size >= CACHED_MAX && oldest !== undefined) cachedBuildIds.delete(oldest);
  cachedBuildIds.set(key, id);
}

/**
 * Compares a device with the number of stat(2). From the lowest bit, the number has 8 bits of the minor number, 12 bits
 * of the major number, and the other bits of the minor number.
 */
function isDevice(dev: bigint, { major, minor }: FileArgument['device']): boolean {
  return dev === BigInt((minor & 0xff) | (major << 8)) + (BigInt(minor >>> 8) << 20n);
}
