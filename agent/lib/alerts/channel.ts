/** A way to one receiver, and the sender that sends waiting alerts over it, one after the other. */
import type { Sender, SendOutcome } from '../delivery/delivery.js';
import { parseAlert, type Alert } from './alert.js';

export type ChannelOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryMs?: number }
  | { readonly kind: 'refused'; readonly reason: string };

export interface Channel {
  /** Sends an alert. Must end soon after the signal is aborted. May reject. */
  send(alert: Alert, signal: AbortSignal): Promise<ChannelOutcome>;
  close(): void;
}

/** Time for a receiver to take an alert. */
const TIMEOUT_MS = 5000;

export class AlertSender implements Sender {
  readonly #channel: Channel;
  readonly #timeoutMs: number;
  /** The lines of a request that failed later. They are not sent again with the others. */
  readonly #settled = new Map<string, 'sent' | 'refused'>();
  #reason = '';
  #abort: AbortController | undefined;
  #isClosed = false;

  constructor(channel: Channel, timeoutMs = TIMEOUT_MS) {
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  async send(lines: readonly string[]): Promise<SendOutcome> {
    let unreadable = 0;
    for (const line of lines) {
      if (this.#isClosed) return { kind: 'failed', reason: 'the agent ends' };
      if (this.#settled.has(line)) continue;
      const alert = parseAlert(line);
      if (alert === undefined) {
        unreadable += 1;
        continue;
      }
      const outcome = await this.#sendOne(alert);
      if (outcome.kind === 'failed') return outcome;
      if (outcome.kind === 'refused') this.#reason = outcome.reason;
      this.#settled.set(line, outcome.kind);
    }
    const refused = lines.filter((line) => this.#settled.get(line) === 'refused');
    this.#settled.clear();
    return { kind: 'sent', unreadable, refused, reason: this.#reason };
  }

  /** A receiver that does not answer, or a file system, must not hold up the others. */
  async #sendOne(alert: Alert): Promise<ChannelOutcome> {
    const abort = new AbortController();
    this.#abort = abort;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<ChannelOutcome>((resolve) => {
      timer = setTimeout(() => {
        abort.abort();
        resolve({ kind: 'failed', reason: `the receiver does not answer within ${this.#timeoutMs} ms` });
      }, this.#timeoutMs);
    });
    try {
      return await Promise.race([this.#channel.send(alert, abort.signal).catch(toFailure), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Also ends a request: nothing is sent later. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#abort?.abort();
    this.#channel.close();
    return Promise.resolve();
  }
}

function toFailure(error: unknown): ChannelOutcome {
  const { code, message } = error as NodeJS.ErrnoException;
  // an AggregateError of several addresses has no message
  return { kind: 'failed', reason: message === '' ? (code ?? 'the connection failed') : message };
}
