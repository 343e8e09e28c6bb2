/** Reads chunks of an untrusted file within the bounds of the file. */
import type { Steps } from '../cooperative.js';

export interface FileBytes {
  readonly size: number;
  /** The range is inside the file. Returns fewer bytes if the file has become shorter. */
  readAt(offset: number, length: number): Buffer;
}

const EMPTY = Buffer.alloc(0);

/** Returns fewer bytes if the range extends beyond the end of the file, so a buffer is never larger than the file. */
export function readBytes(file: FileBytes, offset: number, length: number): Buffer {
  const fits = Math.min(length, file.size - offset);
  return fits > 0 ? file.readAt(offset, fits) : EMPTY;
}

/** Maximum number of bytes that are read in one step. */
const CHUNK_BYTES = 2 * 1024 * 1024;

/** The same as `readBytes`, in steps. */
export function* readBytesSteps(file: FileBytes, offset: number, length: number): Steps<Buffer> {
  const fits = Math.min(length, file.size - offset);
  if (fits <= CHUNK_BYTES) return readBytes(file, offset, length);
  const bytes = Buffer.allocUnsafeSlow(fits);
  for (let at = 0; at < fits;) {
    const chunk = file.readAt(offset + at, Math.min(CHUNK_BYTES, fits - at));
    // the file has become shorter
    if (chunk.length === 0) return bytes.subarray(0, at);
    chunk.copy(bytes, at);
    at += chunk.length;
    yield;
  }
  return bytes;
}
