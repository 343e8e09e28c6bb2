/**
 * Bounds the memory of long arguments. A process can have 32 KB of them, it chooses how many processes run, and each of
 * them, its children and the events that a program keeps hold its record.
 */

/** Arguments of this length are always complete. Few command lines are longer. */
export const SHORT_BYTES = 4096;
/** Most bytes of longer arguments that are held at the same time. */
const LONG_BYTES_MAX = 128 * 1024 * 1024;

export class ArgumentBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;
  readonly #holders = new FinalizationRegistry<number>((bytes) => (this.#heldBytes -= bytes));
  /** Number of processes whose arguments were shortened. */
  shortened = 0;

  constructor(maxBytes = LONG_BYTES_MAX) {
    this.#maxBytes = maxBytes;
  }

  /** Returns how many of these bytes may be held. */
  allow(bytes: number): number {
    if (bytes <= SHORT_BYTES || this.#heldBytes + bytes <= this.#maxBytes) return bytes;
    this.shortened += 1;
    return SHORT_BYTES;
  }

  /** Counts the bytes until the object is garbage-collected. */
  hold(holder: object, bytes: number): void {
    if (bytes <= SHORT_BYTES) return;
    this.#heldBytes += bytes;
    this.#holders.register(holder, bytes);
  }
}
