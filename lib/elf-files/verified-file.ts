/** Checks that the file of a uprobe has one of the digests that the policy names. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { parseDigest, type Digest } from '../elf/digests.js';
import { isDescriptorLimit } from '../errors.js';
import { hostFiles } from './host-files.js';

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
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isDescriptorLimit(error)) throw error;
    return 'missing';
  }
  try {
    // devices and pipes have no end
    if (!fstatSync(fd).isFile()) return 'missing';
    const own = `/proc/self/fd/${fd}`;
    const wanted = digests.flatMap((digest) => parseDigest(digest) ?? []);
    if (!hasDigest(fd, own, wanted)) return 'other';
    await use(own);
    return 'verified';
  } finally {
    closeSync(fd);
  }
}

function hasDigest(fd: number, path: string, wanted: readonly Digest[]): boolean {
  const algorithms = new Set(wanted.map(({ algorithm }) => algorithm));
  for (const algorithm of algorithms) {
    const actual = algorithm === 'build-id' ? hostFiles.readElf(path)?.buildId : hashFile(fd, algorithm);
    if (wanted.some((digest) => digest.algorithm === algorithm && digest.hex === actual)) return true;
  }
  return false;
}

function hashFile(fd: number, algorithm: string): string {
  const hash = createHash(algorithm);
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let at = 0;
  for (;;) {
    const count = readSync(fd, chunk, 0, CHUNK_BYTES, at);
    if (count === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, count));
    at += count;
  }
}
