/**
 * Reads the ring buffers of tracers that have died, together with the one of this tracer, in the order of their times. The
 * programs of a dead tracer may still write to its ring buffer.
 */
import type { TracerEvent } from '../../types/events.js';
import type { RecordReader } from './reader.js';

/** The ring buffer of a dead tracer. */
export interface EarlierReader {
  readonly reader: Pick<RecordReader, 'fill' | 'nextTime' | 'decode' | 'end'>;
  readonly unreadBytes: () => number;
  /** No program writes to the ring buffer any more. */
  readonly isFinal: () => boolean;
  /** Called when all records of a final ring buffer have been read. */
  readonly close: () => void;
}

export class EarlierReaders {
  /** The oldest is the first. */
  #open: readonly EarlierReader[];
  readonly #current: RecordReader;

  constructor(earlier: readonly EarlierReader[], current: RecordReader) {
    this.#open = earlier;
    this.#current = current;
  }

  get isOver(): boolean {
    return this.#open.length === 0;
  }

  unreadBytes(): number {
    return this.#open.reduce((sum, { unreadBytes }) => sum + unreadBytes(), 0);
  }

  /**
   * Returns the events of the next records; undefined if there was no record. The older ring buffers are copied first: a
   * record that appears in one of them afterwards is not older than what the next ones contain then.
   */
  readEvents(): TracerEvent[] | undefined {
    const final = this.#open.filter(({ isFinal }) => isFinal());
    const readers = [...this.#open.map(({ reader }) => reader), this.#current];
    const filled = readers.map((reader) => reader.fill());
    this.#closeEmpty(final);
    if (!filled.includes(true)) return undefined;
    const events: TracerEvent[] = [];
    for (;;) {
      const [first, second] = readers.filter(({ nextTime }) => nextTime !== undefined).sort(compareTimes);
      if (first === undefined) return events;
      for (const event of first.decode(second?.nextTime)) events.push(event);
      // its ring buffer may have more records, which are older than those of the others
      if (first.nextTime === undefined) return events;
    }
  }

  #closeEmpty(final: readonly EarlierReader[]): void {
    const empty = final.filter(({ reader, unreadBytes }) => reader.nextTime === undefined && unreadBytes() === 0);
    if (empty.length === 0) return;
    this.#open = this.#open.filter((each) => !empty.includes(each));
    for (const { close } of empty) close();
  }

  /** Ends the reading, whether all records were read or not. */
  end(): void {
    for (const { reader, close } of this.#open) {
      reader.end();
      close();
    }
    this.#open = [];
  }
}

type Timed = Pick<RecordReader, 'nextTime'>;

function compareTimes(a: Timed, b: Timed): number {
  return Number((a.nextTime ?? 0n) - (b.nextTime ?? 0n));
}
