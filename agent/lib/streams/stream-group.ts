/**
 * Streams that receive the same events. Each event is filtered once for all of them, and events that follow each other in
 * the shared buffer are added to a stream together.
 */
import type { FilteredEvent, LossFields } from 'polytrace/protocol';
import type { EventStream } from './event-stream.js';

export class StreamGroup {
  readonly streams: EventStream[];
  readonly hasChanges: boolean;
  /** The stream changes its events, which are encoded one by one. */
  readonly isShaped: boolean;
  /** The events that are chosen, and not encoded yet: their indexes in a list. */
  #chosen: number[] = [];
  #nextChosen = 0;
  /** The events that are not added to the streams yet: a part of a shared buffer. */
  #bytes: Buffer | undefined;
  #start = 0;
  #end = 0;
  #messages = 0;

  constructor(first: EventStream, isShaped: boolean) {
    this.streams = [first];
    this.hasChanges = first.hasChanges;
    this.isShaped = isShaped;
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

  /** Adds an event to a stream that changes it. */
  addShaped(bytes: Buffer, start: number, end: number, timeLength: number): void {
    for (const stream of this.streams) stream.add(bytes, start, end, timeLength);
  }

  /** Begins another list: the filter of another group may have thrown during the last one. */
  startList(): void {
    if (this.#chosen.length > 0) this.#chosen = [];
    this.#nextChosen = 0;
  }

  /** Chooses an event of a list. The indexes ascend. */
  choose(index: number): void {
    this.#chosen.push(index);
  }

  /**
   * Adds those events of the list that are chosen and in a shared buffer: the first one has the index `first` and begins at
   * `start`, and each ends at one of `ends`.
   */
  addChosen(bytes: Buffer, start: number, ends: readonly number[], first: number): void {
    const chosen = this.#chosen;
    const last = first + ends.length;
    let next = this.#nextChosen;
    if (chosen[next] === first && chosen[next + ends.length - 1] === last - 1) {
      this.#add(bytes, start, ends.at(-1) as number, ends.length);
      next += ends.length;
    } else {
      for (let index = chosen[next]; index !== undefined && index < last; index = chosen[++next]) {
        const i = index - first;
        this.#add(bytes, i === 0 ? start : (ends[i - 1] as number), ends[i] as number, 1);
      }
    }
    this.#nextChosen = next;
  }

  /** The streams get the events at the end of the run. */
  #add(bytes: Buffer, start: number, end: number, messages: number): void {
    if (bytes !== this.#bytes || start !== this.#end) {
      this.endRun();
      this.#bytes = bytes;
      this.#start = start;
    }
    this.#end = end;
    this.#messages += messages;
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
