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

export interface WindowOptions {
  readonly windowMs: number;
  /** Most distinct events, and most bytes of them, in a window. With more of them, it ends early. */
  readonly most: number;
  readonly mostBytes: () => number;
  /** Gets a message of a window that has ended, and the number of events that it stands for. */
  readonly send: (message: Uint8Array, events: number) => void;
  /** Called when a window has ended. */
  readonly flush: () => void;
}

export class Aggregator {
  readonly #options: WindowOptions;
  readonly #groups = new Map<string, Group>();
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#end();
      options.flush();
    }, options.windowMs);
  }

  add(message: Buffer, timeLength: number): void {
    const key = message.toString('latin1', 0, message.length - timeLength);
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count += 1;
      return;
    }
    const { most, mostBytes } = this.#options;
    // the message and its key
    const bytes = 2 * message.length;
    if (this.#groups.size >= most || this.#bytes + bytes > mostBytes()) this.#end();
    this.#bytes += bytes;
    this.#groups.set(key, { message: Buffer.from(message), count: 1 });
  }

  #end(): void {
    for (const { message, count } of this.#groups.values()) {
      const aggregationInfo = create(AggregationInfoSchema, { count: BigInt(count) });
      const info = toBinary(GetEventsResponseSchema, create(GetEventsResponseSchema, { aggregationInfo }));
      this.#options.send(Buffer.concat([message, info]), count);
    }
    this.#groups.clear();
    this.#bytes = 0;
  }

  /** Sends what the window has. */
  stop(): void {
    clearInterval(this.#timer);
    this.#end();
  }
}
