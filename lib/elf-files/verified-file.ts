/** Checks that the file of a uprobe has one of the digests that the policy names. */
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { parseDigest, type Digest } from '../elf/digests.js';
import { fileReader } from '../native/file-reader.js';
import { readElfFile } from './host-files.js';
import { FileUnreadable, TracedFile } from './traced-file.js';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Calls `use` with a path that leads to exactly the checked file, even if the name of the file changes in the meantime. Does
 * not call `use` if no digest matches or if the file does not exist.
 */
export async function withVerifiedFile(
  path: string,
  digests: readonly string[],
  use: (path: string) => Promise<void>,
): Promise<'verified' | 'other' | 'missing'> {
  const fd = await fileReader().openPath(path);
  if (typeof fd !== 'number') return 'missing';
  try {
    const own = `/proc/self/fd/${fd}`;
    const file = await TracedFile.open(own);
    // devices and pipes have no end
    if (file === undefined) return 'missing';
    const wanted = digests.flatMap((digest) => parseDigest(digest) ?? []);
    if (!(await hasDigest(file, own, wanted))) return 'other';
    await use(own);
    return 'verified';
  } catch (error) {
    if (error instanceof FileUnreadable) return 'missing';
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function hasDigest(file: TracedFile, path: string, wanted: readonly Digest[]): Promise<boolean> {
  const algorithms = new Set(wanted.map(({ algorithm }) => algorithm));
  for (const algorithm of algorithms) {
    const actual = algorithm === 'build-id' ? (await readElfFile(path, []))?.buildId : await hashFile(file, algorithm);
    if (wanted.some((digest) => digest.algorithm === algorithm && digest.hex === actual)) return true;
  }
  return false;
}

async function hashFile(file: TracedFile, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  for (let at = 0; at < file.size; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, file.size - at);
    await file.fetch(at, length);
    hash.update(file.readAt(at, length));
  }
  return hash.digest('hex');
}
