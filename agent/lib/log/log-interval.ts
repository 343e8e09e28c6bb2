/** For messages that can come often: the first one is logged at once, and the next ones together, once a minute. */
const INTERVAL_MS = 60_000;

export class LogInterval {
  readonly #now: () => number;
  #loggedAt = -Infinity;

  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** Returns true when the next message is to be logged. The caller counts what came since the last one. */
  isDue(): boolean {
    const now = this.#now();
    if (now - this.#loggedAt < INTERVAL_MS) return false;
    this.#loggedAt = now;
    return true;
  }
}
