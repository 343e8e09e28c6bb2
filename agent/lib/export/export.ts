/** Exports events as JSON lines to a file or to standard output. */
import type { PlainEvent } from 'polytrace';
import type { AgentOptions } from '../config/settings.js';
import type { Log } from '../log/log.js';
import { Backups } from './backups.js';
import { ChainFolder } from './chain-folder.js';
import { ChainSink } from './chain-sink.js';
import { FileSink, type FileOptions } from './file-sink.js';
import { findChain, readLastPosition } from './find-chain.js';
import { countEvents, type LineConsumer } from './lines.js';
import { LineQueue } from './line-queue.js';
import { RateLimit } from './rate-limit.js';
import type { ExportFormat } from './format.js';
import { rotationLimits, rotationParams } from './rotation.js';
import type { Sink } from './sink.js';
import { StreamSink } from './stream-sink.js';

/** Time for the sink to write the remaining lines when the agent stops. */
const CLOSE_MS = 2000;

export class JsonExport implements LineConsumer {
  readonly #queue: LineQueue;
  readonly #sink: Sink;
  readonly #limit: RateLimit | undefined;
  #mustFlush = false;
  /** Events that the rate limit dropped. */
  limited = 0;
  /** Time of the last export, in milliseconds since 1970. */
  lastAt = 0;

  constructor(options: AgentOptions, { formatLine }: ExportFormat, sink: Sink, log: Log, nodeName: string) {
    this.#sink = sink;
    const { eventQueueBytes: maxBytes, exportRateLimit } = options;
    this.#queue = new LineQueue({
      sink,
      maxBytes,
      log,
      formatLoss: (count) => formatLine(createLossEvent(count, nodeName)),
    });
    sink.listen((lines, reason) => {
      log.warn({ lost: lines, reason }, 'exported events are lost');
      this.#queue.drop(lines);
    });
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
    if (!isLoss && this.#limit?.tryAcquire() === false) {
      const events = countEvents(line);
      this.limited += events;
      this.#queue.drop(events);
      return;
    }
    this.#queue.add(line);
    this.#mustFlush = true;
  }

  flush(): void {
    if (!this.#mustFlush) return;
    this.#mustFlush = false;
    this.lastAt = Date.now();
    this.#queue.flush();
  }

  /** Opens the file again, because another process may have moved it. */
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
  /** Events that were not exported because the file or the reader did not accept them. */
  readonly lost: number;
  readonly limited: number;
  /** Bytes in the queue. */
  readonly waiting: number;
  /** Failed writes. */
  readonly failures: number;
  readonly isFailing: boolean;
  readonly lastAt: number;
}

/** Returns undefined without `export-filename`. Rejects if the folder of the chain cannot be used. */
export async function openSink(
  options: AgentOptions,
  stdout: NodeJS.WritableStream,
  log: Log,
): Promise<Sink | undefined> {
  const { exportFilename: path } = options;
  if (path === undefined) return undefined;
  if (path === '-') return new StreamSink(stdout);
  return options.exportChain ? openChainSink(path, options, log) : new FileSink(fileOptions(path, options), log);
}

async function openChainSink(path: string, options: AgentOptions, log: Log): Promise<Sink> {
  const folder = await ChainFolder.open(options.exportChainDir);
  const { last: signed } = folder;
  const newest = await new Backups(path, { maxFiles: Infinity, compress: false }, log).findNewest();
  const found = await findChain(signed, newest === undefined ? [path] : [newest, path]);
  const beforeRemoval = async (removed: string): Promise<void> => {
    const last = await readLastPosition(removed);
    if (last !== undefined) sink.noteRemoved(last.sequence);
  };
  const file = { ...fileOptions(path, options), isChained: true, beforeRemoval };
  const sink: ChainSink = new ChainSink(new FileSink(file, log), folder, found, log);
  return sink;
}

function fileOptions(path: string, options: AgentOptions): FileOptions {
  return {
    path,
    mode: parseInt(options.exportFilePerm, 8),
    ...rotationLimits(rotationParams(options)),
    compress: options.exportFileCompress,
    fsync: options.exportFileFsync,
  };
}

/** Creates the event that reports missing events of an export. It has the form of the kernel's lost events. */
export function createLossEvent(count: number, nodeName: string, hook = 'export', reason = 'export'): PlainEvent {
  const now = Date.now();
  const time = { time: new Date(now).toISOString(), timeNs: BigInt(now) * 1_000_000n };
  return { type: 'lost', hook, policyName: '', reason, count, nodeName, ...time } as never;
}
