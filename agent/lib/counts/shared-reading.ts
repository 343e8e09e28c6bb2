/**
 * Shares the readings of one source between all who ask. A reading that somebody gets began after he asked. At most one
 * reading runs, and at most one waits, whatever the number of those who ask.
 */
import { setTimeout as wait } from 'node:timers/promises';

export class SharedReading<T> {
  readonly #read: () => Promise<T>;
  readonly #leastMs: number;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;
  #startedAt = -Infinity;

  /** `leastMs`: least time between the beginnings of two readings. */
  constructor(read: () => Promise<T>, leastMs: number) {
    this.#read = read;
    this.#leastMs = leastMs;
  }

  read(): Promise<T> {
    return (this.#next ??= this.#startNext());
  }

  async #startNext(): Promise<T> {
    // whoever has the result of the running reading gets its error, too
    await this.#running?.catch(() => undefined);
    const waitMs = this.#startedAt + this.#leastMs - performance.now();
    if (waitMs > 0) await wait(waitMs);
    this.#startedAt = performance.now();
    this.#next = undefined;
    this.#running = this.#read();
    return this.#running;
  }
}
