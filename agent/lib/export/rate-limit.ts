/** At most so many events in each minute. */
const MINUTE_MS = 60_000;

export class RateLimit {
  readonly #perMinute: number;
  readonly #now: () => number;
  #since: number;
  #passed = 0;

  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#since = now();
  }

  /** True if one more event may pass. */
  allows(): boolean {
    const now = this.#now();
    if (now - this.#since >= MINUTE_MS) {
      this.#since = now;
      this.#passed = 0;
    }
    if (this.#passed >= this.#perMinute) return false;
    this.#passed += 1;
    return true;
  }
}
