/** Adds the links of a chain to the lines of a sink, and signs the position about once a second. */
import { hashLine, chainLine, type ChainPosition } from 'polytrace/protocol';
import type { Log } from '../log/log.js';
import type { ChainFolder } from './chain-folder.js';
import type { LossListener, RotationLimits, Sink, WriteResult } from './sink.js';

/** Time from a write to the checkpoint that signs it. */
const CHECKPOINT_MS = 1000;
const NEWLINE = 10;

/** The end of the chain in the files of an earlier agent. */
export interface FoundChain {
  readonly last: ChainPosition;
  /** Lines that were written after `last`, and are gone. */
  readonly lost: number;
}

export class ChainSink implements Sink {
  readonly #sink: Sink;
  readonly #folder: ChainFolder;
  readonly #log: Log;
  readonly #found: FoundChain;
  #last: ChainPosition;
  #oldest: number;
  #timer: NodeJS.Timeout | undefined;
  #signing: Promise<void> = Promise.resolve();

  constructor(sink: Sink, folder: ChainFolder, found: FoundChain, log: Log) {
    this.#sink = sink;
    this.#folder = folder;
    this.#found = found;
    this.#last = found.last;
    this.#oldest = folder.last.oldest;
    this.#log = log;
  }

  listen(onLost: LossListener): void {
    this.#sink.listen(onLost);
    if (this.#found.lost > 0) onLost(this.#found.lost, 'the last lines of the export are missing');
  }

  /** The agent removes old files itself. `last` is the number of the last line in such a file. */
  noteRemoved(last: number): void {
    this.#oldest = Math.max(this.#oldest, last + 1);
  }

  async write(lines: Buffer): Promise<WriteResult> {
    const { bytes, ends, positions } = addLinks(lines, this.#last);
    const result = await this.#sink.write(bytes);
    const written = ends.filter(({ linked }) => linked <= result.bytes).length;
    if (written > 0) {
      this.#last = positions[written - 1] as ChainPosition;
      this.#timer ??= setTimeout(() => this.#sign(), CHECKPOINT_MS);
    }
    return { ...result, bytes: ends[written - 1]?.given ?? 0 };
  }

  #sign(): void {
    this.#timer = undefined;
    this.#signing = this.#signing.then(async () => {
      const time = new Date().toISOString();
      try {
        await this.#folder.sign({ ...this.#last, oldest: this.#oldest, time });
      } catch (error) {
        this.#log.error({ reason: String(error) }, 'the chain of the export was not signed');
      }
    });
  }

  setRotation(limits: RotationLimits): void {
    this.#sink.setRotation?.(limits);
  }

  reopen(): void {
    this.#sink.reopen();
  }

  async close(): Promise<void> {
    await this.#sink.close();
    const hasUnsigned = this.#last.sequence > this.#folder.last.sequence || this.#timer !== undefined;
    clearTimeout(this.#timer);
    if (hasUnsigned) this.#sign();
    await this.#signing;
  }
}

interface LinkedLines {
  readonly bytes: Buffer;
  /** The end of each line: in the linked bytes, and in those that were given. */
  readonly ends: readonly { readonly linked: number; readonly given: number }[];
  readonly positions: readonly ChainPosition[];
}

function addLinks(lines: Buffer, from: ChainPosition): LinkedLines {
  const pieces: Buffer[] = [];
  const ends: { linked: number; given: number }[] = [];
  const positions: ChainPosition[] = [];
  let last = from;
  let linked = 0;
  for (let at = 0, end = lines.indexOf(NEWLINE); end >= 0; at = end + 1, end = lines.indexOf(NEWLINE, at)) {
    const line = chainLine(lines.subarray(at, end), last);
    last = { sequence: last.sequence + 1, hash: hashLine(line) };
    pieces.push(line, Buffer.of(NEWLINE));
    linked += line.length + 1;
    ends.push({ linked, given: end + 1 });
    positions.push(last);
  }
  return { bytes: Buffer.concat(pieces), ends, positions };
}
