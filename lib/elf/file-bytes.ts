/** Reads pieces of a file that can say anything about itself. */

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
