/**
 * Streams that receive the same events. Each event is filtered once for all of them, and events that follow each other in
 * the shared buffer are added to a stream together.
 */
import type { FilteredEvent, LossFields } from 'polytrace/protocol';
import type { EventStream } from './event-stream.js';

export class StreamGroup {
  readonly streams: EventStream[];
  readonly hasChanges: boolean;
  readonly #isShaped: boolean;
  /** The events that are not added to the streams yet: a part of a shared buffer. */
  #bytes: Buffer | undefined;
  #start = 0;
  #end = 0;
  #messages = 0;

  constructor(first: EventStream, isShaped: boolean) {
    this.streams = [first];
    this.hasChanges = first.hasChanges;
    this.#isShaped = isShaped;
  }

  /** Returns true if no stream is left. */
  remove(stream: EventStream): boolean {
    const index = this.streams.indexOf(stream);
    if (index >= 0) this.streams.splice(index, 1);
    return this.streams.length === 0;
  }

  /** Asks the filters of one stream. A stream whose filters take too long is about to be ended, and is not asked. */
  isWanted(event: FilteredEvent): boolean {
    const asked = this.streams.find(({ isEnding }) => !isEnding) ?? this.streams[0];
    return asked?.isWanted === undefined || asked.isWanted(event);
  }

  /** Adds an event that is encoded in a shared buffer. The streams get it at the end of the run. */
  add(bytes: Buffer, start: number, end: number, timeLength: number): void {
    if (this.#isShaped) {
      for (const stream of this.streams) stream.add(bytes, start, end, timeLength);
      return;
    }
    if (bytes !== this.#bytes || start !== this.#end) {
      this.endRun();
      this.#bytes = bytes;
      this.#start = start;
    }
    this.#end = end;
    this.#messages += 1;
  }

  addLoss(loss: LossFields, bytes: Buffer, start: number, end: number, timeLength: number): void {
    this.endRun();
    for (const stream of this.streams) stream.addLoss(loss, bytes, start, end, timeLength);
  }

  /** Adds the collected events to the streams. Called after each batch. */
  endRun(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    for (const stream of this.streams) stream.addRun(bytes, this.#start, this.#end, this.#messages);
    this.#bytes = undefined;
    this.#messages = 0;
  }
}
