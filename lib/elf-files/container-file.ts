/** Opens the file of a uprobe below the root of a container. */
import { closeSync } from 'node:fs';
import { fileReader, type FileReader } from '../native/file-reader.js';

/** The cgroup of a container: its folder on this machine, and its path from the root of the hierarchy. */
export interface ContainerCgroup {
  readonly folder: string;
  readonly path: string;
}

/**
 * Calls `use` with a path that leads to exactly the opened file, and with the key of that file: two paths to one file have
 * the same key, also those of two containers of one image. Does not call `use` otherwise:
 * - `waiting`: no process of the container has its root yet
 * - `missing`: there is no such regular file
 * - `silent`: its file system does not answer
 */
export async function withContainerFile(
  { folder, path: cgroup }: ContainerCgroup,
  path: string,
  use: (path: string, key: string) => Promise<void>,
  reader: Pick<FileReader, 'openInContainer'> = fileReader(),
): Promise<'found' | 'missing' | 'waiting' | 'silent'> {
  const file = await reader.openInContainer(folder, cgroup, path);
  if (file === undefined) return 'silent';
  if (typeof file === 'string') return file;
  try {
    await use(`/proc/self/fd/${file.fd}`, file.key);
    return 'found';
  } finally {
    closeSync(file.fd);
  }
}
