/** Reads the build ids of mapped files, if it is certain that a file is the one that was mapped. */
import { closeSync } from 'node:fs';
import type { FileArgument } from '../../types/events.js';
import { runCooperatively } from '../cooperative.js';
import { FileUnreadable, TracedFile } from '../elf-files/traced-file.js';
import { readMappedBuildId } from '../elf/elf.js';
import { fileReader, type FileReader } from '../native/file-reader.js';

/** Number of files whose build id is cached. A cached null means that the file has none. */
const CACHED_MAX = 4096;
const cachedBuildIds = new Map<string, string | null>();

/**
 * Returns the build id in hexadecimal; undefined if the file has none, if its path now leads to another file, or if it
 * is not on a local file system.
 */
export async function findFileBuildId(
  pid: number,
  { path, inode, device }: Pick<FileArgument, 'path' | 'inode' | 'device'>,
  reader: Pick<FileReader, 'openMapped' | 'readPart'> = fileReader(),
): Promise<string | undefined> {
  const fd = await reader.openMapped(pid, path, device.major, device.minor);
  if (typeof fd !== 'number') return undefined;
  try {
    const file = await TracedFile.open(`/proc/self/fd/${fd}`, reader);
    if (file?.inode !== inode) return undefined;
    if (!cachedBuildIds.has(file.key))
      cacheBuildId(file.key, (await runCooperatively(readMappedBuildId(file))) ?? null);
    return cachedBuildIds.get(file.key) ?? undefined;
  } catch (error) {
    if (error instanceof FileUnreadable) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}

function cacheBuildId(key: string, id: string | null): void {
  const [oldest] = cachedBuildIds.keys();
  if (cachedBuildIds.size >= CACHED_MAX && oldest !== undefined) cachedBuildIds.delete(oldest);
  cachedBuildIds.set(key, id);
}
