/** Logs what a collector refuses: the first refusal at once, and the next ones together, once a minute. */
import type { Log } from '../log/log.js';

const INTERVAL_MS = 60_000;

export class Refusals {
  readonly #log: Pick<Log, 'error'>;
  readonly #now: () => number;
  #loggedAt = -Infinity;
  #requests = 0;
  #lost = 0;

  constructor(log: Pick<Log, 'error'>, now = (): number => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Counts a request that was refused, with its events. */
  add(reason: string, lost: number): void {
    this.#requests += 1;
    this.#lost += lost;
    const now = this.#now();
    if (now - this.#loggedAt < INTERVAL_MS) return;
    this.#loggedAt = now;
    this.#log.error({ reason, requests: this.#requests, lost: this.#lost }, 'the collector refuses events');
    this.#requests = 0;
    this.#lost = 0;
  }
}
