/** Reads pieces of a file that can say anything about itself. */
import type { Steps } from '../cooperative.js';

export interface FileBytes {
  readonly size: number;
  /** The piece is inside of the file. Returns fewer bytes if the file has become shorter. */
  read(offset: number, length: number): Buffer;
}

const NOTHING = Buffer.alloc(0);

/**
 * Returns fewer bytes where the file ends: what a file says about itself never makes a buffer larger than the file.
 */
export function bytesAt(file: FileBytes, offset: number, length: number): Buffer {
  const fits = Math.min(length, file.size - offset);
  return fits > 0 ? file.read(offset, fits) : NOTHING;
}

/** Most bytes that are read without a pause. */
const PIECE_BYTES = 2 * 1024 * 1024;

/** Does the same, with pauses. */
export function* bytesInSteps(file: FileBytes, offset: number, length: number): Steps<Buffer> {
  const fits = Math.min(length, file.size - offset);
  if (fits <= PIECE_BYTES) return bytesAt(file, offset, length);
  const bytes = Buffer.allocUnsafeSlow(fits);
  for (let at = 0; at < fits;) {
    const piece = file.read(offset + at, Math.min(PIECE_BYTES, fits - at));
    // the file has become shorter
    if (piece.length === 0) return bytes.subarray(0, at);
    piece.copy(bytes, at);
    at += piece.length;
    yield;
  }
  return bytes;
}
