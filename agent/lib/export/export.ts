/** The export of events as JSON lines, to a file or to standard output. */
import type { PlainEvent } from 'polytrace';
import { millisecondsOf } from '../config/setting.js';
import type { AgentOptions } from '../config/settings.js';
import type { Log } from '../log/log.js';
import { FileSink } from './file-sink.js';
import { eventsIn, type LineConsumer } from './lines.js';
import { LineQueue } from './line-queue.js';
import { RateLimit } from './rate-limit.js';
import type { Shape } from './shape.js';
import type { Sink } from './sink.js';
import { StreamSink } from './stream-sink.js';

const MEBIBYTE = 1024 * 1024;
/** How long the sink may take what waits when the agent ends. */
const CLOSE_MS = 2000;

export class JsonExport implements LineConsumer {
  readonly #queue: LineQueue;
  readonly #sink: Sink;
  readonly #limit: RateLimit | undefined;
  #hasNew = false;
  /** Events that the rate limit left out. */
  limited = 0;
  /** When an event was exported last, in milliseconds since 1970. */
  lastAt = 0;

  constructor(options: AgentOptions, { lineOf }: Shape, sink: Sink, log: Log, nodeName: string) {
    this.#sink = sink;
    const { eventQueueBytes: mostBytes, exportRateLimit } = options;
    this.#queue = new LineQueue({ sink, mostBytes, log, lossLine: (count) => lineOf(lossOf(count, nodeName)) });
    if (exportRateLimit >= 0) this.#limit = new RateLimit(exportRateLimit);
  }

  get stats(): ExportStats {
    const { writtenLines, writtenBytes, lost, bytes, failures, isFailing } = this.#queue;
    const { limited, lastAt } = this;
    return {
      lines: writtenLines,
      bytes: writtenBytes,
      lost: lost - limited,
      limited,
      waiting: bytes,
      failures,
      isFailing,
      lastAt,
    };
  }

  add(line: string, isLoss: boolean): void {
    if (!isLoss && this.#limit?.allows() === false) {
      const events = eventsIn(line);
      this.limited += events;
      this.#queue.drop(events);
      return;
    }
    this.#queue.add(line);
    this.#hasNew = true;
  }

  flush(): void {
    if (!this.#hasNew) return;
    this.#hasNew = false;
    this.lastAt = Date.now();
    this.#queue.flush();
  }

  /** Opens the file again: somebody may have moved it. */
  reopen(): void {
    this.#sink.reopen();
  }

  async close(): Promise<void> {
    await this.#queue.close(CLOSE_MS);
    await this.#sink.close();
  }
}

export interface ExportStats {
  readonly lines: number;
  readonly bytes: number;
  /** Events that were not exported because the file or its reader did not take them. */
  readonly lost: number;
  readonly limited: number;
  /** Bytes that wait. */
  readonly waiting: number;
  /** Writes that failed. */
  readonly failures: number;
  readonly isFailing: boolean;
  readonly lastAt: number;
}

/** Undefined without `export-filename`. */
export function sinkOf(options: AgentOptions, stdout: NodeJS.WritableStream, log: Log): Sink | undefined {
  const { exportFilename: path } = options;
  if (path === undefined) return undefined;
  if (path === '-') return new StreamSink(stdout);
  return new FileSink(
    {
      path,
      mode: parseInt(options.exportFilePerm, 8),
      mostBytes: options.exportFileMaxSizeMb * MEBIBYTE,
      intervalMs: millisecondsOf(options.exportFileRotationInterval),
      backups: options.exportFileMaxBackups,
      compress: options.exportFileCompress,
      fsync: options.exportFileFsync,
    },
    log,
  );
}

/** The report of events that are missing in an export, in the form of those that the kernel lost. */
export function lossOf(count: number, nodeName: string, hook = 'export'): PlainEvent {
  const now = Date.now();
  const time = { time: new Date(now).toISOString(), timeNs: BigInt(now) * 1_000_000n };
  return { type: 'lost', hook, policyName: '', reason: 'export', count, nodeName, ...time } as never;
}
