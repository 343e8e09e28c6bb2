/** Reads chunks of an untrusted file within the bounds of the file. */
import type { Steps } from '../cooperative.js';

export interface FileBytes {
  readonly size: number;
  /** The range is inside the file. Returns fewer bytes if the file has become shorter. */
  readAt(offset: number, length: number): Buffer;
  /**
   * Must be called before `readAt` of the same range, if it exists: the bytes have to be waited for. Returns undefined
   * if they are already there.
   */
  fetch?(offset: number, length: number): Promise<void> | undefined;
}

const EMPTY = Buffer.alloc(0);

/** Maximum number of bytes that are read in one step. */
const CHUNK_BYTES = 2 * 1024 * 1024;

/** Returns fewer bytes if the range extends beyond the end of the file, so a buffer is never larger than the file. */
export function* readBytes(file: FileBytes, offset: number, length: number): Steps<Buffer> {
  const fits = Math.min(length, file.size - offset);
  if (fits <= 0) return EMPTY;
  if (fits <= CHUNK_BYTES) return yield* readChunk(file, offset, fits);
  const bytes = Buffer.allocUnsafeSlow(fits);
  for (let at = 0; at < fits;) {
    const chunk = yield* readChunk(file, offset + at, Math.min(CHUNK_BYTES, fits - at));
    // the file has become shorter
    if (chunk.length === 0) return bytes.subarray(0, at);
    chunk.copy(bytes, at);
    at += chunk.length;
    yield;
  }
  return bytes;
}

function* readChunk(file: FileBytes, offset: number, length: number): Steps<Buffer> {
  const fetching = file.fetch?.(offset, length);
  if (fetching !== undefined) yield fetching;
  return file.readAt(offset, length);
}
