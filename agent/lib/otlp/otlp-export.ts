/**
 * The export of events to a collector of OpenTelemetry. Lines wait in memory, and while the collector does not answer on the disk;
 * both are bounded, and what finds no room is counted. A report of the loss is sent at its place.
 */
import type { Log } from '../log/log.js';
import type { Outcome, Sender } from './sender.js';
import type { Spool } from './spool.js';

/** Most lines and bytes of a request. */
const CHUNK_LINES = 512;
const CHUNK_BYTES = 512 * 1024;
/** Events of this time go into one request. */
const DELAY_MS = 200;
const RETRY_MS = 1000;
const RETRY_MAX_MS = 30_000;
/** While the collector does not answer, lines go to the disk so often. */
const SPOOL_MS = 500;

export interface OtlpOptions {
  readonly sender: Sender;
  readonly spool: Spool | undefined;
  /** Most bytes that wait in memory. */
  readonly mostBytes: number;
  /** The number of events that a line stands for. */
  readonly eventsIn: (line: string) => number;
  /** The number of lost events that a line reports; undefined for an event. */
  readonly lossIn: (line: string) => number | undefined;
  /** The line that says how many events are missing; its hook is `otlp`. */
  readonly lossLine: (count: number) => string;
  readonly log: Log;
  /** For tests: all waiting is shorter by this factor. */
  readonly haste?: number;
}

export interface OtlpStats {
  /** Lines that the collector has taken. Reports of losses are in them. */
  readonly sent: number;
  readonly lost: number;
  readonly failures: number;
  readonly waiting: number;
  readonly spooled: number;
  readonly isFailing: boolean;
}

export class OtlpExport {
  readonly #options: OtlpOptions;
  readonly #haste: number;
  #lines: string[] = [];
  #bytes = 0;
  /** Lines that the collector did not take, without a spool. */
  #rest: string[] | undefined;
  #dropped = 0;
  #sent = 0;
  #lost = 0;
  #failures = 0;
  #isFailing = false;
  /** Lines that are being sent, and that are not on the disk. */
  #inFlight: string[] | undefined;
  #isClosing = false;
  #isClosed = false;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#haste = options.haste ?? 1;
    // what an earlier agent has left
    if (options.spool?.isEmpty === false) this.#start();
  }

  get stats(): OtlpStats {
    return {
      sent: this.#sent,
      lost: this.#lost,
      failures: this.#failures,
      waiting: this.#bytes,
      spooled: this.#options.spool?.bytes ?? 0,
      isFailing: this.#isFailing,
    };
  }

  flush(): void {
    if (this.#lines.length > 0) this.#start();
  }

  add(line: string): void {
    const { mostBytes, lossLine } = this.#options;
    const isFull = this.#dropped > 0 ? this.#bytes > mostBytes / 2 : this.#bytes + line.length > mostBytes;
    if (this.#isClosing || isFull) return this.#dropLines([line]);
    if (this.#dropped > 0) {
      const loss = lossLine(this.#dropped);
      this.#dropped = 0;
      this.#push(loss);
    }
    this.#push(line);
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length;
  }

  #drop(count: number): void {
    this.#lost += count;
    this.#dropped += count;
  }

  /** A report of a loss that is lost is made again; its events are counted already. */
  #dropLines(lines: readonly string[]): void {
    const { eventsIn, lossIn } = this.#options;
    for (const line of lines) {
      const reported = lossIn(line);
      if (reported === undefined) this.#drop(eventsIn(line));
      else this.#dropped += reported;
    }
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS;
    await this.#pause(DELAY_MS);
    for (;;) {
      const { spool } = this.#options;
      if (this.#isFailing || spool?.isEmpty === false) await this.#toSpool();
      const spooled = await this.#oldest();
      const chunk = spooled ?? this.#rest ?? this.#take();
      if (chunk === undefined) {
        if (spool?.isEmpty === false) continue;
        return;
      }
      if (spooled === undefined) this.#inFlight = chunk;
      const outcome = await this.#options.sender.send(chunk);
      if (this.#isClosed) return;
      this.#inFlight = undefined;
      if (await this.#settle(chunk, outcome, spooled !== undefined)) {
        retryMs = RETRY_MS;
        continue;
      }
      if (this.#isClosing) return;
      await this.#wait(retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  /** Returns false when the lines have to wait. */
  async #settle(chunk: string[], outcome: Outcome, isSpooled: boolean): Promise<boolean> {
    const { spool, log } = this.#options;
    if (outcome.kind === 'failed') {
      this.#failures += 1;
      if (!this.#isFailing) log.error({ reason: outcome.reason }, 'the collector does not take events; trying again');
      this.#isFailing = true;
      if (!isSpooled) await this.#keep(chunk);
      return false;
    }
    if (outcome.kind === 'refused') {
      this.#failures += 1;
      this.#dropLines(chunk);
      log.error({ reason: outcome.reason, lost: chunk.length }, 'the collector refuses events');
    } else {
      this.#sent += chunk.length - outcome.unreadable;
      if (outcome.unreadable > 0) this.#drop(outcome.unreadable);
      if (this.#isFailing) log.warn({ lost: this.#lost }, 'the collector takes events again');
      this.#isFailing = false;
    }
    this.#rest = undefined;
    if (isSpooled) await this.#guarded(() => spool?.removeOldest());
    return true;
  }

  /** Keeps lines that were not taken: on the disk, or in memory. */
  async #keep(chunk: string[]): Promise<void> {
    if (this.#options.spool === undefined) this.#rest = chunk;
    else await this.#store(chunk);
  }

  async #store(chunk: string[]): Promise<void> {
    const { spool, log } = this.#options;
    try {
      if ((await spool?.append(chunk)) !== true) this.#dropLines(chunk);
    } catch (error) {
      this.#dropLines(chunk);
      log.error({ reason: String(error), lost: chunk.length }, 'events cannot be spooled');
    }
  }

  async #toSpool(): Promise<void> {
    if (this.#options.spool === undefined) return;
    for (let chunk = this.#take(); chunk !== undefined; chunk = this.#take()) await this.#store(chunk);
  }

  async #oldest(): Promise<string[] | undefined> {
    return this.#guarded(() => this.#options.spool?.oldest());
  }

  async #guarded<T>(action: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      this.#options.log.error({ reason: String(error) }, 'a file of spooled events is lost');
      return undefined;
    }
  }

  #take(): string[] | undefined {
    if (this.#lines.length === 0) return undefined;
    let count = 0;
    for (let bytes = 0; count < Math.min(this.#lines.length, CHUNK_LINES) && bytes < CHUNK_BYTES; count++) {
      bytes += (this.#lines[count] as string).length;
    }
    const chunk = this.#lines.splice(0, count);
    for (const line of chunk) this.#bytes -= line.length;
    return chunk;
  }

  /** Waits for the next try; meanwhile lines go to the disk. */
  async #wait(ms: number): Promise<void> {
    for (let left = ms; left > 0 && !this.#isClosing; left -= SPOOL_MS) {
      await this.#pause(Math.min(left, SPOOL_MS));
      await this.#toSpool();
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isClosing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms / this.#haste);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Sends what waits, at most for `waitMs`. The rest stays on the disk; without a spool it is lost, and counted. */
  async close(waitMs: number): Promise<void> {
    const { sender, lossLine, log } = this.#options;
    if (this.#dropped > 0) this.#push(lossLine(this.#dropped));
    this.#isClosing = true;
    this.#wake?.();
    if (this.#lines.length > 0) this.#start();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.#running, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    this.#isClosed = true;
    if (this.#inFlight !== undefined) await this.#keep(this.#inFlight);
    await this.#toSpool();
    const events = [...this.#lines, ...(this.#rest ?? [])].filter((line) => this.#options.lossIn(line) === undefined);
    const left = events.reduce((sum, line) => sum + this.#options.eventsIn(line), 0);
    if (left > 0) {
      this.#lost += left;
      log.error({ lost: left }, 'events were not sent before the end');
    }
    await Promise.race([sender.close(), new Promise((resolve) => setTimeout(resolve, waitMs).unref())]);
  }
}
