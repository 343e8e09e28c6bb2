/**
 * Reading a file in steps. The readers of ELF files are generators: they ask for bytes, and pause in long loops, so that
 * whoever follows the steps can do something else meanwhile.
 */

/** A piece of a file. */
interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** Yields the piece that it needs next, or undefined for a pause. */
export type Steps<T> = Generator<Piece | undefined, T, Buffer>;

export interface FileBytes {
  readonly size: number;
  /** The piece is inside of the file. Returns fewer bytes if the file has become shorter. */
  read(offset: number, length: number): Buffer;
}

const NOTHING = Buffer.alloc(0);

export function atOnce<T>(steps: Steps<T>, file: FileBytes): T {
  for (let next = steps.next(NOTHING); ;) {
    if (next.done === true) return next.value;
    const { value: piece } = next;
    next = steps.next(piece === undefined ? NOTHING : file.read(piece.offset, piece.length));
  }
}

/**
 * Asks for bytes of a file of `size` bytes. Returns fewer where the file ends: what a file says about itself never makes
 * a buffer larger than the file.
 */
export function* bytesAt(size: number, offset: number, length: number): Steps<Buffer> {
  const fits = Math.min(length, size - offset);
  return fits > 0 ? yield { offset, length: fits } : NOTHING;
}

/** Pauses after every so many calls. */
export function pauses(every = 1000): () => Steps<void> {
  let left = every;
  return function* () {
    if (--left > 0) return;
    left = every;
    yield undefined;
  };
}
