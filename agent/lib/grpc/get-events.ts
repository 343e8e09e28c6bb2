/** Implements GetEvents: a stream of events for one client. */
import { create, toBinary } from '@bufbuild/protobuf';
import { status as Code, type ServerWritableStream } from '@grpc/grpc-js';
import {
  compileFieldFilters,
  compileFilters,
  type EventTest,
  FilterError,
  type GetEventsRequest,
  GetEventsRequestSchema,
  LIMITS,
} from 'polytrace/protocol';
import type { Log } from '../log/log.js';
import { Aggregator } from '../streams/aggregator.js';
import type { EventStream } from '../streams/event-stream.js';
import type { Frames } from '../streams/frames.js';
import type { EventHub } from '../streams/hub.js';
import { CallError } from './call-error.js';

/** Maximum of open streams. */
const STREAMS_MAX = 1024;
/** A stream is ended when its filters take more than this part of the time, measured over SHARE_MS. */
const SHARE_MAX = 0.5;
const SHARE_MS = 2000;
const WINDOW_MS_MAX = 600_000;

type Call = ServerWritableStream<GetEventsRequest, Frames>;

interface Reader {
  readonly stream: EventStream;
  readonly aggregator: Aggregator | undefined;
}

/** Opens and closes the event streams of clients. */
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
      eventBytes: (event) => this.#hub.eventBytes(event),
      redact: this.#hub.redact,
    });
    const fields = compileFieldFilters(request.fieldFilters);
    const windowMs = parseWindow(request);
    let aggregator: Aggregator | undefined;
    const stream: EventStream = this.#hub.subscribe({
      hasChanges: request.changes,
      isWanted:
        filter &&
        limitTimeShare(filter, () => {
          stream.isEnding = true;
          setImmediate(() => this.#endSlowCall(call));
        }),
      filterKey: filter === undefined ? '' : encodeFilters(request),
      shape:
        fields === undefined && windowMs === undefined
          ? undefined
          : (message, timeLength) => {
              const shaped = fields === undefined ? message : Buffer.from(fields(message));
              if (aggregator === undefined || isWhole(shaped)) return shaped;
              aggregator.add(shaped, timeLength);
              return undefined;
            },
      send: (frames, sent) => void call.write(frames, sent),
    });
    if (windowMs !== undefined) {
      const maxMessages = Math.min(
        Number(request.aggregationOptions?.channelBufferSize) || LIMITS.aggregated,
        LIMITS.aggregated,
      );
      aggregator = new Aggregator({
        windowMs,
        maxMessages,
        maxBytes: () => stream.maxBytes,
        send: (message, events) => stream.addMessage(message, events),
        flush: () => stream.flush(),
      });
    }
    this.#calls.set(call, { stream, aggregator });
    const endStream = (): void => {
      if (!this.#calls.delete(call)) return;
      aggregator?.stop();
      this.#hub.unsubscribe(stream);
      this.#log.debug({ peer: call.getPeer(), sent: stream.sent, lost: stream.lost }, 'a client left');
    };
    call.on('cancelled', endStream);
    call.on('close', endStream);
    call.on('error', endStream);
    call.sendMetadata(call.metadata.clone());
    this.#log.debug({ peer: call.getPeer() }, 'a client reads events');
  }

  #endSlowCall(call: Call): void {
    this.#log.warn({ peer: call.getPeer() }, 'the filters of a client take too long: its stream was ended');
    call.emit('error', new CallError(Code.RESOURCE_EXHAUSTED, 'the filters take too long'));
  }

  /** Sends the queued events for at most `waitMs`, and ends all streams. */
  async close(waitMs: number): Promise<void> {
    const calls = [...this.#calls];
    for (const [, { aggregator }] of calls) aggregator?.stop();
    const all = Promise.all(calls.map(([, { stream }]) => stream.drain()));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    for (const [call] of calls) call.end();
  }
}

/** Returns the same text for requests with the same filters. */
function encodeFilters({ allowList, denyList }: GetEventsRequest): string {
  const filters = create(GetEventsRequestSchema, { allowList, denyList });
  return Buffer.from(toBinary(GetEventsRequestSchema, filters)).toString('base64');
}

/** Returns the window in milliseconds, or undefined without aggregation. */
function parseWindow({ aggregationOptions }: GetEventsRequest): number | undefined {
  const size = aggregationOptions?.windowSize;
  if (size === undefined) return undefined;
  const ms = Number(size.seconds) * 1000 + size.nanos / 1e6;
  if (!(ms >= 1 && ms <= WINDOW_MS_MAX)) {
    throw new FilterError('aggregation_options.window_size', 'it has to be from 1 millisecond to 10 minutes');
  }
  return ms;
}

/** The first bytes of a response with the fields `rate_limit_info` and `change`. They are not aggregated. */
const WHOLE_TAGS = [Buffer.from([0x8a, 0xc4, 0x13]), Buffer.from([0xe2, 0x76])];

function isWhole(message: Buffer): boolean {
  return WHOLE_TAGS.some((tag) => message.subarray(0, tag.length).equals(tag));
}

/**
 * Measures the time of a client's filters. It is scaled by the share of processor time, because on a busy machine
 * other processes run in between.
 */
function limitTimeShare(filter: EventTest, onTooSlow: () => void): EventTest {
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
        onTooSlow();
      }
      cpuBefore = process.cpuUsage();
      since = now;
      spent = 0;
    }
    return result;
  };
}
