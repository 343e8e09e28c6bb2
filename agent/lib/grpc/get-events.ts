/** GetEvents: a stream of events for one client. */
import { status as Code, type ServerWritableStream } from '@grpc/grpc-js';
import type { GetEventsRequest } from '../proto/tetragon/events.gen.js';
import { compileFieldFilters } from '../filters/fields.js';
import { compileFilters, type Test } from '../filters/filters.js';
import { FilterError, LIMITS } from '../filters/limits.js';
import type { Log } from '../log/log.js';
import { Aggregator } from '../streams/aggregator.js';
import type { EventStream } from '../streams/event-stream.js';
import type { Frames } from '../streams/frames.js';
import type { EventHub } from '../streams/hub.js';
import { CallError } from './service.js';

/** Most streams at a time. */
const STREAMS_MAX = 1024;
/** A stream whose filters take more than this part of the time is ended. */
const SHARE_MAX = 0.5;
const SHARE_MS = 2000;
const WINDOW_MS_MAX = 600_000;

type Call = ServerWritableStream<GetEventsRequest, Frames>;

interface Reader {
  readonly stream: EventStream;
  readonly aggregator: Aggregator | undefined;
}

/** What makes the calls of clients into streams. */
export class EventCalls {
  readonly #hub: EventHub;
  readonly #log: Log;
  readonly #calls = new Map<Call, Reader>();

  constructor(hub: EventHub, log: Log) {
    this.#hub = hub;
    this.#log = log;
  }

  open(call: Call): void {
    try {
      if (this.#calls.size >= STREAMS_MAX) {
        throw new CallError(Code.RESOURCE_EXHAUSTED, `more than ${STREAMS_MAX} streams of events`);
      }
      this.#subscribe(call);
    } catch (error) {
      const known = error instanceof FilterError ? new CallError(Code.INVALID_ARGUMENT, error.message) : error;
      call.emit('error', known instanceof CallError ? known : new CallError(Code.INTERNAL, String(error)));
    }
  }

  #subscribe(call: Call): void {
    const { request } = call;
    const filter = compileFilters(request, {
      encoded: (event) => this.#hub.encoded(event),
      redact: this.#hub.redact,
    });
    const fields = compileFieldFilters(request.fieldFilters);
    const window = windowOf(request);
    let aggregator: Aggregator | undefined;
    const stream = this.#hub.subscribe({
      wants: filter === undefined ? undefined : guarded(filter, () => this.#tooSlow(call)),
      shape:
        fields === undefined && window === undefined
          ? undefined
          : (message, timeLength) => {
              const shaped = fields === undefined ? message : Buffer.from(fields(message));
              if (aggregator === undefined || isLoss(shaped)) return shaped;
              aggregator.add(shaped, timeLength);
              return undefined;
            },
      send: (frames, sent) => void call.write(frames, sent),
    });
    if (window !== undefined) {
      const most = Math.min(
        Number(request.aggregationOptions?.channelBufferSize) || LIMITS.aggregated,
        LIMITS.aggregated,
      );
      aggregator = new Aggregator({
        windowMs: window,
        most,
        mostBytes: () => stream.mostBytes,
        send: (message, events) => stream.addMessage(message, events),
        flush: () => stream.flush(),
      });
    }
    this.#calls.set(call, { stream, aggregator });
    const end = (): void => {
      if (!this.#calls.delete(call)) return;
      aggregator?.stop();
      this.#hub.unsubscribe(stream);
      this.#log.debug({ peer: call.getPeer(), sent: stream.sent, lost: stream.lost }, 'a client left');
    };
    call.on('cancelled', end);
    call.on('close', end);
    call.on('error', end);
    call.sendMetadata(call.metadata.clone());
    this.#log.debug({ peer: call.getPeer() }, 'a client reads events');
  }

  #tooSlow(call: Call): void {
    this.#log.warn({ peer: call.getPeer() }, 'the filters of a client take too long: its stream was ended');
    call.emit('error', new CallError(Code.RESOURCE_EXHAUSTED, 'the filters take too long'));
  }

  /** Sends what waits, for as long as clients take it, and ends all streams. */
  async close(waitMs: number): Promise<void> {
    const calls = [...this.#calls];
    for (const [, { aggregator }] of calls) aggregator?.stop();
    const all = Promise.all(calls.map(([, { stream }]) => stream.drained()));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    for (const [call] of calls) call.end();
  }
}

/** Returns milliseconds; undefined without aggregation. */
function windowOf({ aggregationOptions }: GetEventsRequest): number | undefined {
  const size = aggregationOptions?.windowSize;
  if (size === undefined) return undefined;
  const ms = Number(size.seconds) * 1000 + size.nanos / 1e6;
  if (!(ms >= 1 && ms <= WINDOW_MS_MAX)) {
    throw new FilterError('aggregation_options.window_size', 'it has to be from 1 millisecond to 10 minutes');
  }
  return ms;
}

/** The first bytes of a response with the field `rate_limit_info`: a loss is told at its place. */
const LOSS_TAG = Buffer.from([0x8a, 0xc4, 0x13]);

function isLoss(message: Buffer): boolean {
  return message.subarray(0, LOSS_TAG.length).equals(LOSS_TAG);
}

/** Measures the time that a client's filters take. On a busy machine, a part of that time is the time of other processes. */
function guarded(filter: Test, tooSlow: () => void): Test {
  let since = performance.now();
  let cpuBefore = process.cpuUsage();
  let spent = 0;
  let isOver = false;
  return (event) => {
    if (isOver) return false;
    const before = performance.now();
    const result = filter(event);
    const now = performance.now();
    spent += now - before;
    if (now - since > SHARE_MS) {
      const cpu = process.cpuUsage(cpuBefore);
      const running = Math.min((cpu.user + cpu.system) / 1000 / (now - since), 1);
      if (spent * running > SHARE_MAX * (now - since)) {
        isOver = true;
        setImmediate(tooSlow);
      }
      cpuBefore = process.cpuUsage();
      since = now;
      spent = 0;
    }
    return result;
  };
}
