/**
 * Iterates over events as plain data. An event is copied when it is requested, so that no copy delays the event loop.
 */
import type { PlainEvent, TracerEvent } from '../../types/events.js';
import type { TracerIterator } from '../../types/tracer.js';

/** Copies what another iterator returns: one event, or an array of events. */
export class PlainIterator<Events, Plain> implements TracerIterator<Plain> {
  constructor(
    private readonly events: AsyncIterator<Events, undefined>,
    private readonly copy: (events: Events) => Plain,
  ) {}

  async next(): Promise<IteratorResult<Plain, undefined>> {
    const result = await this.events.next();
    return result.done === true ? result : { value: this.copy(result.value), done: false };
  }

  async return(): Promise<IteratorResult<Plain, undefined>> {
    await this.events.return?.();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

export function toPlainEvent(event: TracerEvent): PlainEvent {
  return event.toObject();
}
