/**
 * Aggregation: events that are equal but for their time become one, with their number, at the end of a window. It works on
 * protobuf: two events are equal when their bytes are, without the field `time`, which comes last.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { AggregationInfoSchema, GetEventsResponseSchema } from '../proto/tetragon/events.gen.js';

interface Group {
  readonly message: Buffer;
  count: number;
}

export class Aggregator {
  readonly #most: number;
  readonly #send: (message: Uint8Array) => void;
  readonly #groups = new Map<string, Group>();
  readonly #timer: NodeJS.Timeout;

  /** `most`: distinct events in a window. With more of them, it ends early. `send` gets what a window has. */
  constructor(windowMs: number, most: number, send: (message: Uint8Array) => void, flush: () => void) {
    this.#most = most;
    this.#send = send;
    this.#timer = setInterval(() => {
      this.#end();
      flush();
    }, windowMs);
  }

  add(message: Buffer, timeLength: number): void {
    const key = message.toString('latin1', 0, message.length - timeLength);
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count += 1;
      return;
    }
    if (this.#groups.size >= this.#most) this.#end();
    this.#groups.set(key, { message: Buffer.from(message), count: 1 });
  }

  #end(): void {
    for (const { message, count } of this.#groups.values()) {
      const aggregationInfo = create(AggregationInfoSchema, { count: BigInt(count) });
      const info = toBinary(GetEventsResponseSchema, create(GetEventsResponseSchema, { aggregationInfo }));
      this.#send(Buffer.concat([message, info]));
    }
    this.#groups.clear();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}
