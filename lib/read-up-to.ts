/** Reads a file or pipe with a limit: devices such as /dev/zero never end. */
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 65_536;

/** Returns undefined if it has more than `max` bytes. */
export function readUpTo(path: string, max: number): Buffer | undefined {
  const fd = openSync(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let length = 0; length <= max;) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, max + 1 - length));
      const count = readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, count));
      length += count;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}
