/**
 * A bounded queue of lines for a sink. A line that does not fit is dropped and counted, and a line in its position
 * reports the loss. When the sink fails, the lines wait for the next try.
 */
import type { Log } from '../log/log.js';
import { countEvents, reportedLoss } from './lines.js';
import { countNewlines } from './scan-lines.js';
import type { Sink } from './sink.js';

const WRITE_BYTES = 256 * 1024;
const RETRY_MS = 1000;

export interface QueueOptions {
  readonly sink: Sink;
  /** Maximum of bytes in the queue. */
  readonly maxBytes: number;
  readonly log: Log;
  /** Returns the line that reports lost events. */
  readonly formatLoss: (count: number) => string;
  readonly retryMs?: number;
}

export class LineQueue {
  readonly #options: QueueOptions;
  #lines: string[] = [];
  /** The chunk that the sink is writing or has refused. It precedes `#lines`. */
  #unwritten: Buffer | undefined;
  #waitingBytes = 0;
  #dropped = 0;
  #pumping: Promise<void> | undefined;
  #closing = false;
  #wake: (() => void) | undefined;
  #isFailing = false;
  /** Written lines and bytes, including the lines that report losses. */
  writtenLines = 0;
  writtenBytes = 0;
  /** Events that did not fit into the queue, or that the sink did not accept before the end. */
  lost = 0;
  failures = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#waitingBytes;
  }

  /** True while the sink refuses lines. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /**
   * `line` has no newline. After a loss, lines are accepted again when the queue is half empty. This keeps the number
   * of loss reports low.
   */
  add(line: string): void {
    const { maxBytes } = this.#options;
    const bytes = Buffer.byteLength(line) + 1;
    const isFull = this.#dropped > 0 ? this.#waitingBytes > maxBytes / 2 : this.#waitingBytes + bytes > maxBytes;
    if (this.#closing || (isFull && this.#waitingBytes > 0)) return this.#dropLine(line);
    this.#append(line, bytes);
  }

  /** The events of a loss report are counted already. The next report repeats them. */
  #dropLine(line: string): void {
    const reported = reportedLoss(line);
    if (reported === undefined) this.drop(countEvents(line));
    else this.#dropped += reported;
  }

  /** Counts dropped events. The next line reports them. */
  drop(events: number): void {
    this.#dropped += events;
    this.lost += events;
  }

  #append(line: string, bytes: number): void {
    this.#reportDropped();
    this.#lines.push(line);
    this.#waitingBytes += bytes;
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    const loss = this.#options.formatLoss(this.#dropped);
    this.#dropped = 0;
    this.#lines.push(loss);
    this.#waitingBytes += Buffer.byteLength(loss) + 1;
  }

  /** Starts to write the queued lines. Called after each batch of events. */
  flush(): void {
    this.#pumping ??= this.#pump().finally(() => (this.#pumping = undefined));
  }

  async #pump(): Promise<void> {
    const { sink, retryMs = RETRY_MS } = this.#options;
    for (;;) {
      const chunk = this.#unwritten ?? this.#take();
      if (chunk === undefined) return;
      this.#unwritten = chunk;
      const { bytes, error } = await sink.write(chunk);
      this.#countWritten(chunk, bytes);
      if (error === undefined) {
        this.#noteRecovery();
        continue;
      }
      this.#noteFailure(error);
      if (this.#closing) return;
      await this.#pause(retryMs);
    }
  }

  #countWritten(chunk: Buffer, bytes: number): void {
    this.#waitingBytes -= bytes;
    this.writtenBytes += bytes;
    this.writtenLines += countNewlines(chunk.subarray(0, bytes));
    this.#unwritten = bytes < chunk.length ? chunk.subarray(bytes) : undefined;
  }

  #noteFailure(error: NodeJS.ErrnoException): void {
    this.failures += 1;
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { code, message } = error;
    this.#options.log.error({ code, reason: message }, 'events cannot be exported; trying again');
  }

  #noteRecovery(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.log.warn({ lost: this.lost }, 'events are exported again');
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Removes the oldest lines from the queue and returns them as bytes. */
  #take(): Buffer | undefined {
    if (this.#lines.length === 0) return undefined;
    let count = 0;
    for (let size = 0; count < this.#lines.length && size < WRITE_BYTES; count++) {
      size += (this.#lines[count] as string).length + 1;
    }
    const taken = this.#lines.splice(0, count);
    return Buffer.from(`${taken.join('\n')}\n`);
  }

  /** Writes the queued lines for at most `waitMs`, or until the sink fails. The remaining lines are counted as lost. */
  async close(waitMs: number): Promise<void> {
    if (!this.#closing) this.#reportDropped();
    this.#closing = true;
    this.#wake?.();
    this.flush();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.#pumping, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    const rest = this.#unwritten?.toString('latin1').trimEnd().split('\n') ?? [];
    // the events of a loss report are counted already
    const events = [...rest, ...this.#lines].filter((line) => reportedLoss(line) === undefined);
    const left = events.reduce((sum, line) => sum + countEvents(line), 0);
    if (left === 0) return;
    this.lost += left;
    this.#options.log.error({ lost: left }, 'events were not exported before the end');
  }
}
