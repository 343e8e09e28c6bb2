/**
 * Combines events that differ only in the time into one event with a count, at the end of a window. Two encoded
 * events are equal when their bytes without the field `time`, which comes last, are equal.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { AggregationInfoSchema, GetEventsResponseSchema } from 'polytrace/protocol';
import { Window, type WindowOptions } from './window.js';

export class Aggregator {
  readonly #window: Window<Buffer>;

  constructor({ send, ...options }: WindowOptions<Uint8Array>) {
    this.#window = new Window({
      ...options,
      send: (message, events) => send(Buffer.concat([message, encodeCount(events)]), events),
    });
  }

  add(message: Buffer, timeLength: number): void {
    this.#window.add(message.toString('latin1', 0, message.length - timeLength), () => Buffer.from(message));
  }

  /** Sends the events of the current window. */
  stop(): void {
    this.#window.stop();
  }
}

function encodeCount(events: number): Uint8Array {
  const aggregationInfo = create(AggregationInfoSchema, { count: BigInt(events) });
  return toBinary(GetEventsResponseSchema, create(GetEventsResponseSchema, { aggregationInfo }));
}
