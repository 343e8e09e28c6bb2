/** Logs what a collector refuses: the first refusal at once, and the next ones together, once a minute. */
import { LogInterval } from '../log/log-interval.js';
import type { Log } from '../log/log.js';

export class Refusals {
  readonly #log: Pick<Log, 'error'>;
  readonly #interval: LogInterval;
  #requests = 0;
  #lost = 0;

  constructor(log: Pick<Log, 'error'>, now?: () => number) {
    this.#log = log;
    this.#interval = new LogInterval(now);
  }

  /** Counts a request that was refused, with its events. */
  add(reason: string, lost: number): void {
    this.#requests += 1;
    this.#lost += lost;
    if (!this.#interval.isDue()) return;
    this.#log.error({ reason, requests: this.#requests, lost: this.#lost }, 'the collector refuses events');
    this.#requests = 0;
    this.#lost = 0;
  }
}
