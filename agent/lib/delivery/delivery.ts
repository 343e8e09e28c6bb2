/**
 * Delivers lines to a receiver: an OpenTelemetry collector, or a receiver of alerts. Lines wait in memory, and on the
 * disk while the receiver does not answer. Both are bounded. Lines that do not fit are counted, and a line in their
 * position reports the loss.
 */
import type { Log } from '../log/log.js';
import { Refusals } from './refusals.js';
import type { LineStore } from './spool.js';

export type SendOutcome =
  | {
      readonly kind: 'sent';
      /** Number of lines that are damaged. */
      readonly unreadable: number;
      /** The lines that the receiver will never accept, and its reason. */
      readonly refused?: readonly string[];
      readonly reason?: string;
    }
  /** The receiver may accept the same lines later, at the earliest after `retryMs`. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryMs?: number }
  /** The receiver will never accept these lines. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Why events were lost on their way to a receiver. */
export type LossReason = 'agent_ended' | 'disk' | 'queue_full' | 'refused' | 'spool_full' | 'spool_removed';

/** Sends lines. `send` must not be called again before it resolves. Never rejects. */
export interface Sender {
  send(lines: readonly string[]): Promise<SendOutcome>;
  close(): Promise<void>;
}

/** Maximum lines and bytes of a request. */
const CHUNK_LINES = 512;
const CHUNK_BYTES = 512 * 1024;
/** Events within this time are sent in one request. */
const DELAY_MS = 200;
const RETRY_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** Interval of writing lines to the disk while the receiver does not answer. */
const SPOOL_MS = 500;

export interface DeliveryOptions {
  readonly sender: Sender;
  readonly spool: LineStore | undefined;
  /** Each line is on the disk before it is sent, and until the receiver has it. Default: only while that fails. */
  readonly spoolFirst?: boolean;
  /** Maximum of bytes in memory. */
  readonly maxBytes: number;
  /** Returns the number of events that a line stands for. */
  readonly countEvents: (line: string) => number;
  /** Returns the number of lost events that a line reports, or undefined for another line. */
  readonly reportedLoss: (line: string) => number | undefined;
  /** Returns the line that reports lost events, of any reason, or of one with `lossReason`. */
  readonly formatLoss: (count: number, reason: LossReason | undefined) => string;
  /** Returns the reason of a line that reports a loss. With it, there is a line for each reason. */
  readonly lossReason?: (line: string) => LossReason;
  /** Called with the number of lost events that had been on the disk. */
  readonly onSpooledLoss?: (events: number) => void;
  readonly log: Log;
  /** Words of messages in the log for the receiver and for the lines. */
  readonly words?: DeliveryWords;
  /** Name of the receiver in the log, if there are several. */
  readonly receiver?: string;
  /** Maximum lines of a request. Default 512. */
  readonly chunkLines?: number;
  /** For tests: divides all delays. */
  readonly speedup?: number;
}

export interface DeliveryStats {
  /** Lines that the receiver has accepted, including the reports of losses. */
  readonly sent: number;
  readonly lost: number;
  readonly failures: number;
  readonly waiting: number;
  readonly spooled: number;
  readonly isFailing: boolean;
  /** Reason of the last failure; empty while the receiver takes lines. */
  readonly reason: string;
}

export interface DeliveryWords {
  readonly receiver: string;
  readonly lines: string;
}

const WORDS: DeliveryWords = { receiver: 'the collector', lines: 'events' };

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #speedup: number;
  #lines: string[] = [];
  #bytes = 0;
  /** Without a spool: the lines that the receiver did not accept. */
  #unsent: string[] | undefined;
  /** Losses that no line has reported yet. */
  readonly #dropped = new Map<LossReason, number>();
  #sent = 0;
  #lost = 0;
  readonly #lostByReason = new Map<LossReason, number>();
  readonly #refusals: Refusals;
  #failures = 0;
  #isFailing = false;
  #reason = '';
  readonly #words: DeliveryWords;
  /** Members of each line of the log. */
  readonly #fields: { readonly receiver?: string };
  /** Lines that are being sent and are not on the disk. */
  #inFlight: string[] | undefined;
  /** Settles when all lines that were taken for the disk are there, or are counted as lost. */
  #storing: Promise<void> = Promise.resolve();
  #isClosing = false;
  /** The next try does not wait. */
  #mustRetry = false;
  #isClosed = false;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #spooling: Promise<void> | undefined;
  #spoolNow: (() => void) | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#words = options.words ?? WORDS;
    this.#fields = options.receiver === undefined ? {} : { receiver: options.receiver };
    this.#refusals = new Refusals(options.log, this.#words, this.#fields);
    this.#speedup = options.speedup ?? 1;
    this.#loseSpooled(options.spool?.missing ?? 0, 'somebody has removed files of the folder');
    const ended = options.spool?.unsaved ?? 0;
    if (ended > 0) this.#drop(ended, 'agent_ended');
    // sends the events that a previous agent has left
    if (options.spool?.isEmpty === false || ended > 0) this.#start();
  }

  get stats(): DeliveryStats {
    return {
      sent: this.#sent,
      lost: this.#lost,
      failures: this.#failures,
      waiting: this.#bytes,
      spooled: this.#options.spool?.bytes ?? 0,
      isFailing: this.#isFailing,
      reason: this.#reason,
    };
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    if (this.#options.spoolFirst === true) this.#startSpooling();
    else this.#start();
  }

  /** Writes lines to the disk, also while others are being sent. */
  #startSpooling(): void {
    this.#spooling ??= this.#spoolSoon().finally(() => (this.#spooling = undefined));
  }

  async #spoolSoon(): Promise<void> {
    if (!this.#isClosing) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, DELAY_MS / this.#speedup);
        this.#spoolNow = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await this.#spoolLines();
    this.#start();
  }

  get lostByReason(): ReadonlyMap<LossReason, number> {
    return this.#lostByReason;
  }

  /** Tries again now: the receiver may take lines again. */
  retry(): void {
    this.#mustRetry = true;
    this.#wake?.();
  }

  add(line: string): void {
    const { maxBytes } = this.#options;
    const isFull = this.#dropped.size > 0 ? this.#bytes > maxBytes / 2 : this.#bytes + line.length > maxBytes;
    if (this.#isClosing || isFull) return this.#dropLines([line], 'queue_full');
    this.#reportDropped();
    this.#push(line);
  }

  #reportDropped(): void {
    const { formatLoss, lossReason } = this.#options;
    if (this.#dropped.size === 0) return;
    const losses = [...this.#dropped];
    this.#dropped.clear();
    if (lossReason !== undefined) for (const [reason, count] of losses) this.#push(formatLoss(count, reason));
    else
      this.#push(
        formatLoss(
          losses.reduce((sum, [, count]) => sum + count, 0),
          undefined,
        ),
      );
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length;
  }

  #drop(count: number, reason: LossReason): void {
    this.#lost += count;
    this.#lostByReason.set(reason, (this.#lostByReason.get(reason) ?? 0) + count);
    this.#remember(count, reason);
  }

  #remember(count: number, reason: LossReason): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count);
  }

  /** A lost report of a loss is made again. Its events are counted already. */
  #dropLines(lines: readonly string[], reason: LossReason): void {
    const { countEvents, reportedLoss, lossReason } = this.#options;
    for (const line of lines) {
      const reported = reportedLoss(line);
      if (reported === undefined) this.#drop(countEvents(line), reason);
      else this.#remember(reported, lossReason?.(line) ?? reason);
    }
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS;
    const { spool, spoolFirst = false } = this.#options;
    if (!spoolFirst) await this.#pause(DELAY_MS);
    for (;;) {
      this.#mustRetry = false;
      if (spoolFirst && this.#bytes === 0) this.#reportDropped();
      if (spoolFirst || this.#isFailing || spool?.isEmpty === false) await this.#spoolLines();
      const spooled = await this.#readOldest();
      // the receiver would get the lines a second time from the next agent
      if (this.#isClosed) return;
      const chunk = spooled ?? this.#unsent ?? (spoolFirst ? undefined : this.#take());
      if (chunk === undefined) {
        if (spool?.isEmpty === false || (spoolFirst && this.#lines.length > 0)) continue;
        return;
      }
      if (spooled === undefined) this.#inFlight = chunk;
      const outcome = await this.#options.sender.send(chunk);
      if (this.#isClosed) return;
      this.#inFlight = undefined;
      if (await this.#handleOutcome(chunk, outcome, spooled !== undefined)) {
        retryMs = RETRY_MS;
        continue;
      }
      if (this.#isClosing) return;
      await this.#wait(Math.max(retryMs, outcome.kind === 'failed' ? (outcome.retryMs ?? 0) : 0));
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  /** Returns false when the lines have to be sent again. */
  async #handleOutcome(chunk: string[], outcome: SendOutcome, isSpooled: boolean): Promise<boolean> {
    const { log } = this.#options;
    if (outcome.kind === 'failed') {
      this.#failures += 1;
      const { receiver, lines } = this.#words;
      const { reason } = outcome;
      if (!this.#isFailing) {
        log.error({ ...this.#fields, reason }, `${receiver} does not take ${lines}; trying again`);
      }
      this.#isFailing = true;
      this.#reason = reason;
      if (!isSpooled) await this.#keep(chunk);
      return false;
    }
    if (outcome.kind === 'refused') {
      this.#refuse(chunk, outcome.reason, isSpooled);
    } else {
      const { unreadable, refused = [], reason = '' } = outcome;
      this.#sent += chunk.length - unreadable - refused.length;
      if (unreadable > 0) this.#drop(unreadable, 'refused');
      if (refused.length > 0) this.#refuse(refused, reason, isSpooled);
      const { receiver, lines } = this.#words;
      if (this.#isFailing) log.warn({ ...this.#fields, lost: this.#lost }, `${receiver} takes ${lines} again`);
      if (this.#isFailing) this.#reportDropped();
      this.#isFailing = false;
      this.#reason = '';
    }
    this.#unsent = undefined;
    if (isSpooled) await this.#removeOldest();
    return true;
  }

  #refuse(lines: readonly string[], reason: string, isSpooled: boolean): void {
    const { countEvents, reportedLoss, onSpooledLoss } = this.#options;
    this.#failures += 1;
    this.#dropLines(lines, 'refused');
    if (isSpooled) onSpooledLoss?.(lines.reduce((sum, line) => sum + (reportedLoss(line) ?? countEvents(line)), 0));
    this.#refusals.add(reason, lines.length);
  }

  /** Keeps lines that were not accepted, on the disk or in memory. */
  async #keep(chunk: string[]): Promise<void> {
    if (this.#options.spool === undefined) this.#unsent = chunk;
    else await this.#store(chunk);
  }

  /** One after the other, so that close() can wait for the last one. */
  #store(chunk: string[]): Promise<void> {
    return (this.#storing = this.#storing.then(() => this.#append(chunk)));
  }

  async #append(chunk: string[]): Promise<void> {
    const { spool, log } = this.#options;
    try {
      if ((await spool?.append(chunk)) !== true) this.#dropLines(chunk, 'spool_full');
    } catch (error) {
      this.#dropLines(chunk, 'disk');
      const message = `${this.#words.lines} cannot be spooled`;
      log.error({ ...this.#fields, reason: String(error), lost: chunk.length }, message);
    }
  }

  async #spoolLines(): Promise<void> {
    if (this.#options.spool === undefined) return;
    for (let chunk = this.#take(); chunk !== undefined; chunk = this.#take()) await this.#store(chunk);
  }

  /** Returns the lines of the oldest file that has any. Counts those that somebody has removed. */
  async #readOldest(): Promise<string[] | undefined> {
    const spooled = await this.#options.spool?.readOldest();
    if (spooled === undefined) return undefined;
    this.#loseSpooled(spooled.lost, spooled.reason);
    if (spooled.lines.length > 0) return spooled.lines;
    await this.#removeOldest();
    return undefined;
  }

  async #removeOldest(): Promise<void> {
    try {
      await this.#options.spool?.removeOldest();
    } catch (error) {
      const message = `a file of spooled ${this.#words.lines} cannot be removed`;
      this.#options.log.error({ ...this.#fields, reason: String(error) }, message);
    }
  }

  #loseSpooled(events: number, reason: string): void {
    if (events <= 0) return;
    this.#drop(events, 'spool_removed');
    this.#options.onSpooledLoss?.(events);
    this.#options.log.error({ ...this.#fields, lost: events, reason }, `spooled ${this.#words.lines} are lost`);
  }

  #take(): string[] | undefined {
    if (this.#lines.length === 0) return undefined;
    const { chunkLines = CHUNK_LINES } = this.#options;
    let count = 0;
    for (let bytes = 0; count < Math.min(this.#lines.length, chunkLines) && bytes < CHUNK_BYTES; count++) {
      bytes += (this.#lines[count] as string).length;
    }
    const chunk = this.#lines.splice(0, count);
    for (const line of chunk) this.#bytes -= line.length;
    return chunk;
  }

  /** Waits before the next try. Meanwhile, lines are written to the disk. */
  async #wait(ms: number): Promise<void> {
    for (let left = ms; left > 0 && !this.#isClosing && !this.#mustRetry; left -= SPOOL_MS) {
      await this.#pause(Math.min(left, SPOOL_MS));
      await this.#spoolLines();
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isClosing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms / this.#speedup);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /**
   * Sends the remaining lines for at most `waitMs`. The rest stays on the disk. Without a spool, it is counted as
   * lost.
   */
  async close(waitMs: number): Promise<void> {
    const { sender, log } = this.#options;
    this.#reportDropped();
    this.#isClosing = true;
    this.#wake?.();
    this.#spoolNow?.();
    await this.#spooling;
    if (this.#lines.length > 0) this.#start();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.#running, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    this.#isClosed = true;
    if (this.#inFlight !== undefined) await this.#keep(this.#inFlight);
    await this.#spoolLines();
    await this.#storing;
    const events = [...this.#lines, ...(this.#unsent ?? [])].filter(
      (line) => this.#options.reportedLoss(line) === undefined,
    );
    const left = events.reduce((sum, line) => sum + this.#options.countEvents(line), 0);
    if (left > 0) {
      this.#lost += left;
      log.error({ ...this.#fields, lost: left }, `${this.#words.lines} were not sent before the end`);
    }
    await Promise.race([sender.close(), new Promise((resolve) => setTimeout(resolve, waitMs).unref())]);
  }
}
