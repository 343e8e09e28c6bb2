/**
 * Lines that wait for a sink, in a bounded queue. What finds the queue full is counted, and a line at its place says how many events
 * are missing. When the sink fails, lines wait, and the queue tries again.
 */
import type { Log } from '../log/log.js';
import { eventsIn, lossIn } from './lines.js';
import type { Sink } from './sink.js';

const WRITE_BYTES = 256 * 1024;
const RETRY_MS = 1000;

export interface QueueOptions {
  readonly sink: Sink;
  /** Most bytes that wait. */
  readonly mostBytes: number;
  readonly log: Log;
  /** The line that says how many events are missing. */
  readonly lossLine: (count: number) => string;
  readonly retryMs?: number;
}

export class LineQueue {
  readonly #options: QueueOptions;
  #lines: string[] = [];
  /** The text that the sink writes now, or has refused. It comes before all lines. */
  #rest: Buffer | undefined;
  #waitingBytes = 0;
  #dropped = 0;
  #pumping: Promise<void> | undefined;
  #closing = false;
  #wake: (() => void) | undefined;
  #isFailing = false;
  /** Lines and bytes that the sink has. Lines about losses are in them. */
  writtenLines = 0;
  writtenBytes = 0;
  /** Events that found the queue full, or that the sink did not take before the end. */
  lost = 0;
  failures = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#waitingBytes;
  }

  /** Why the sink does not take lines now. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** `line` is without a newline. After a loss, the queue has to be half empty again: then losses come in few lines. */
  add(line: string): void {
    const { mostBytes } = this.#options;
    const bytes = Buffer.byteLength(line) + 1;
    const isFull = this.#dropped > 0 ? this.#waitingBytes > mostBytes / 2 : this.#waitingBytes + bytes > mostBytes;
    if (this.#closing || (isFull && this.#waitingBytes > 0)) return this.#leaveOut(line);
    this.#append(line, bytes);
  }

  /** The events of a report of a loss are counted already, but the next report has to say them. */
  #leaveOut(line: string): void {
    const reported = lossIn(line);
    if (reported === undefined) this.drop(eventsIn(line));
    else this.#dropped += reported;
  }

  /** Counts events that are left out. Their loss is reported at their place. */
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
    const loss = this.#options.lossLine(this.#dropped);
    this.#dropped = 0;
    this.#lines.push(loss);
    this.#waitingBytes += Buffer.byteLength(loss) + 1;
  }

  /** Starts to write what waits. Called after each batch of events. */
  flush(): void {
    this.#pumping ??= this.#pump().finally(() => (this.#pumping = undefined));
  }

  async #pump(): Promise<void> {
    const { sink, retryMs = RETRY_MS } = this.#options;
    for (;;) {
      const chunk = this.#rest ?? this.#take();
      if (chunk === undefined) return;
      this.#rest = chunk;
      const { bytes, error } = await sink.write(chunk);
      this.#account(chunk, bytes);
      if (error === undefined) {
        this.#recovered();
        continue;
      }
      this.#failed(error);
      if (this.#closing) return;
      await this.#pause(retryMs);
    }
  }

  #account(chunk: Buffer, bytes: number): void {
    this.#waitingBytes -= bytes;
    this.writtenBytes += bytes;
    this.writtenLines += linesIn(chunk.subarray(0, bytes));
    this.#rest = bytes < chunk.length ? chunk.subarray(bytes) : undefined;
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.failures += 1;
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { code, message } = error;
    this.#options.log.error({ code, reason: message }, 'events cannot be exported; trying again');
  }

  #recovered(): void {
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

  /** The oldest lines, as bytes. */
  #take(): Buffer | undefined {
    if (this.#lines.length === 0) return undefined;
    let count = 0;
    for (let size = 0; count < this.#lines.length && size < WRITE_BYTES; count++) {
      size += (this.#lines[count] as string).length + 1;
    }
    const taken = this.#lines.splice(0, count);
    return Buffer.from(`${taken.join('\n')}\n`);
  }

  /** Writes what waits, for as long as the sink takes it, at most for `waitMs`; the rest is lost, and counted. */
  async close(waitMs: number): Promise<void> {
    if (!this.#closing) this.#reportDropped();
    this.#closing = true;
    this.#wake?.();
    this.flush();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.#pumping, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    const rest = this.#rest?.toString('latin1').trimEnd().split('\n') ?? [];
    // the events of a report of a loss are counted already
    const events = [...rest, ...this.#lines].filter((line) => lossIn(line) === undefined);
    const left = events.reduce((sum, line) => sum + eventsIn(line), 0);
    if (left === 0) return;
    this.lost += left;
    this.#options.log.error({ lost: left }, 'events were not exported before the end');
  }
}

const NEWLINE = 10;

function linesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
