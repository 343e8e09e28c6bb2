/** Build ids of mapped files, read from the files themselves, where it is certain that they are the ones that were mapped. */
import { closeSync, constants, fstatSync, openSync, type BigIntStats } from 'node:fs';
import type { FileArgument } from '../../types/events.js';
import { mappedBuildId } from '../elf/elf.js';

/** Files whose build id is remembered: null where they have none. */
const REMEMBERED_MAX = 4096;
const remembered = new Map<string, string | null>();

/** In hex. Undefined where the file has none, or is no longer to be found by its path. */
export function buildIdOfMapped(pid: number, { path, inode, device }: FileArgument): string | undefined {
  // as the process sees it, unless it has ended
  for (const place of [`/proc/${pid}/root${path}`, path]) {
    const found = readAt(place, (stat) => stat.ino === inode && isDevice(stat.dev, device));
    if (found !== undefined) return found ?? undefined;
  }
  return undefined;
}

/** null: the file is the one, and has no build id. */
function readAt(path: string, isWanted: (stat: BigIntStats) => boolean): string | null | undefined {
  let fd: number;
  try {
    // a path of another process's making: a pipe there must not stop this one
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile() || !isWanted(stat)) return undefined;
    const key = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
    if (!remembered.has(key)) remember(key, mappedBuildId(fd) ?? null);
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

/** As stat(2) has it: the lower 8 bits of the minor number, 12 of the major one, then the rest of the minor one. */
function isDevice(dev: bigint, { major, minor }: FileArgument['device']): boolean {
  return dev === BigInt((minor & 0xff) | (major << 8)) + (BigInt(minor >>> 8) << 20n);
}
