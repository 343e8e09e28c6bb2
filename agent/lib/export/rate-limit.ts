/** Limits the number of events in each minute. */
const MINUTE_MS = 60_000;

export class RateLimit {
  readonly #perMinute: number;
  readonly #now: () => number;
  #since: number;
  #acquired = 0;

  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#since = now();
  }

  /** Counts one event. Returns false when the limit of this minute is reached. */
  tryAcquire(): boolean {
    const now = this.#now();
    if (now - this.#since >= MINUTE_MS) {
      this.#since = now;
      this.#acquired = 0;
    }
    if (this.#acquired >= this.#perMinute) return false;
    this.#acquired += 1;
    return true;
  }
}
