/** Logs what a receiver refuses: the first refusal at once, and the next ones together, once a minute. */
import { LogInterval } from '../log/log-interval.js';
import type { Log } from '../log/log.js';

export class Refusals {
  readonly #log: Pick<Log, 'error'>;
  readonly #message: string;
  readonly #fields: object;
  readonly #interval: LogInterval;
  #requests = 0;
  #lost = 0;

  /** `words`: what the log calls the receiver and the lines. `fields`: members of each line of the log. */
  constructor(
    log: Pick<Log, 'error'>,
    words: { readonly receiver: string; readonly lines: string },
    fields: object = {},
    now?: () => number,
  ) {
    this.#log = log;
    this.#message = `${words.receiver} refuses ${words.lines}`;
    this.#fields = fields;
    this.#interval = new LogInterval(now);
  }

  /** Counts a request that was refused, with its lines. */
  add(reason: string, lost: number): void {
    this.#requests += 1;
    this.#lost += lost;
    if (!this.#interval.isDue()) return;
    this.#log.error({ ...this.#fields, reason, requests: this.#requests, lost: this.#lost }, this.#message);
    this.#requests = 0;
    this.#lost = 0;
  }
}
