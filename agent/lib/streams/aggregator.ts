/**
 * Aggregation: events that are equal but for their time become one, with their number, at the end of a window. It works on
 * protobuf: two events are equal when their bytes are, without the field `time`, which comes last.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { AggregationInfoSchema, GetEventsResponseSchema } from '../proto/tetragon/events.gen.js';
import { Window, type WindowOptions } from './window.js';

export class Aggregator {
  readonly #window: Window<Buffer>;

  constructor({ send, ...options }: WindowOptions<Uint8Array>) {
    this.#window = new Window({
      ...options,
      send: (message, events) => send(Buffer.concat([message, infoOf(events)]), events),
    });
  }

  add(message: Buffer, timeLength: number): void {
    this.#window.add(message.toString('latin1', 0, message.length - timeLength), () => Buffer.from(message));
  }

  /** Sends what the window has. */
  stop(): void {
    this.#window.stop();
  }
}

function infoOf(events: number): Uint8Array {
  const aggregationInfo = create(AggregationInfoSchema, { count: BigInt(events) });
  return toBinary(GetEventsResponseSchema, create(GetEventsResponseSchema, { aggregationInfo }));
}
