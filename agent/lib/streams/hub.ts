/**
 * Reads the tracer's events, encodes each at most once for all clients that get it unchanged, and adds it to the streams of
 * the clients that requested it.
 */
import { fromBinary } from '@bufbuild/protobuf';
import {
  messageFrames,
  type AgentEvent,
  type LineFormatter,
  type PlainEvent,
  type Process,
  type Redactor,
  type Tracer,
} from 'polytrace';
import {
  type EncodeOptions,
  EventEncoder,
  GetEventsResponseSchema,
  type Process as ProcessMessage,
  type FilteredEvent,
} from 'polytrace/protocol';
import { EventStream, type Shaper } from './event-stream.js';
import { HEADER, FrameBuffer, type Frames } from './frames.js';
import { StreamGroup } from './stream-group.js';

/** Maximum of queued bytes of one client, and of all clients together. */
const STREAM_BYTES = 4 * 1024 * 1024;
const ALL_BYTES = 48 * 1024 * 1024;
/** So few events fit into the smallest queue. */
const PACED_EVENTS = 16;

export interface HubOptions extends EncodeOptions {
  readonly nodeName: string;
  /** Maximum of queued bytes of one client. Default: 4 MiB. */
  readonly queueBytes?: number;
  /** When the agent has started, in milliseconds since 1970. */
  readonly startedAt?: number;
  /** Called after some events that an earlier agent has left. The next ones are handed out when it resolves. */
  readonly pace?: () => Promise<void>;
  /** Makes the function that encodes events, for events of another copy of the library. Default: `messageFrames`. */
  readonly createFrames?: typeof messageFrames;
}

/** The options of a client's stream. */
export interface Subscription {
  readonly isWanted?: ((event: FilteredEvent) => boolean) | undefined;
  /** Equal for streams whose `isWanted` accepts the same events. Undefined: the stream shares nothing. */
  readonly filterKey?: string | undefined;
  readonly shape?: Shaper | undefined;
  /** The client knows events of the type `change`. */
  readonly hasChanges?: boolean | undefined;
  readonly send: (frames: Frames, sent: () => void) => void;
}

/** Another part of the agent that sees each event: exports and metrics. It must not keep the event. */
export type Listener = (events: readonly AgentEvent[]) => void;

export class EventHub {
  readonly #encoder: EventEncoder;
  /** Encodes events of records without decoding them. */
  readonly #encodeFrames: LineFormatter;
  readonly #buffer = new FrameBuffer();
  readonly #streams = new Set<EventStream>();
  /** The streams by what they receive: one element for each different set of events. */
  readonly #groups = new Map<string | EventStream, StreamGroup>();
  readonly #listeners = new Set<Listener>();
  readonly #options: HubOptions;
  /** Lost events of clients that have disconnected. */
  #lostBefore = 0;
  /** Offset of the current event in the buffer; -1 until the event is encoded. */
  #start = -1;
  /** Nanoseconds since 1970. */
  readonly #startedNs: bigint;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#startedNs = BigInt(options.startedAt ?? 0) * 1_000_000n;
    this.#encoder = new EventEncoder(options);
    this.#encodeFrames = (options.createFrames ?? messageFrames)(this.#encoder);
  }

  /** Redacts the arguments that clients get. */
  get redact(): Redactor | undefined {
    return this.#options.redact;
  }

  get streams(): ReadonlySet<EventStream> {
    return this.#streams;
  }

  /** Lost events of all clients, including former ones. */
  get lostCount(): number {
    return [...this.#streams].reduce((sum, { lost }) => sum + lost, this.#lostBefore);
  }

  subscribe(wishes: Subscription): EventStream {
    const { queueBytes = STREAM_BYTES, nodeName } = this.#options;
    const stream = new EventStream({
      ...wishes,
      nodeName,
      encoder: this.#encoder,
      queueBytes: () => Math.min(queueBytes, ALL_BYTES / this.#streams.size),
    });
    this.#streams.add(stream);
    const key = groupKey(stream, wishes);
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, new StreamGroup(stream, wishes.shape !== undefined));
    else group.streams.push(stream);
    return stream;
  }

  unsubscribe(stream: EventStream): void {
    if (!this.#streams.delete(stream)) return;
    this.#lostBefore += stream.lost;
    for (const [key, group] of this.#groups) if (group.remove(stream)) this.#groups.delete(key);
    stream.end();
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Converts a process to the message of its events, with the same fields and the same redaction. */
  toProcessMessage(process: Process): ProcessMessage | undefined {
    const exec = { type: 'process_exec', nodeName: '', time: '', timeNs: 0n, process, tid: process.pid, ancestors: [] };
    const { event } = fromBinary(GetEventsResponseSchema, this.#encoder.encode(exec as unknown as AgentEvent).take());
    return event.case === 'processExec' ? event.value.process : undefined;
  }

  /** Runs until the tracer is closed. */
  async run(tracer: Pick<Tracer, 'batches'>): Promise<void> {
    for await (const batch of tracer.batches()) {
      if ((batch[0]?.timeNs ?? this.#startedNs) < this.#startedNs) await this.#dispatchSlowly(batch);
      else this.dispatch(batch);
    }
  }

  /** Events from before this agent wait in the ring buffer, and come all at once. */
  async #dispatchSlowly(batch: readonly AgentEvent[]): Promise<void> {
    const { pace } = this.#options;
    for (let i = 0; i < batch.length; i += PACED_EVENTS) {
      this.dispatch(batch.slice(i, i + PACED_EVENTS));
      await pace?.();
    }
  }

  dispatch(batch: readonly AgentEvent[]): void {
    if (this.#streams.size > 0) {
      this.#dispatchEvents(batch);
      for (const group of this.#groups.values()) group.endRun();
      for (const stream of this.#streams) stream.flush();
    }
    for (const listener of this.#listeners) listener(batch);
  }

  #dispatchEvents(batch: readonly AgentEvent[]): void {
    // the events that some group gets unchanged
    let chosen = this.#startList();
    for (const event of batch) {
      this.#start = -1;
      if (event.type === 'lost') {
        this.#addChosen(chosen);
        chosen = this.#startList();
        this.#dispatchLoss(event);
      } else if (this.#choose(event, chosen.length)) {
        chosen.push(event);
      }
    }
    this.#addChosen(chosen);
  }

  #startList(): AgentEvent[] {
    for (const group of this.#groups.values()) group.startList();
    return [];
  }

  /** Returns true if a group has chosen the event with this index. */
  #choose(event: Exclude<AgentEvent, { readonly type: 'lost' }>, index: number): boolean {
    let isChosen = false;
    for (const group of this.#groups.values()) {
      if ((event.type === 'change' && !group.hasChanges) || !group.isWanted(event)) continue;
      if (group.isShaped) {
        const start = this.#encodeOnce(event);
        group.addShaped(this.#buffer.bytes, start, this.#buffer.end, this.#encoder.timeLength);
      } else {
        group.choose(index);
        isChosen = true;
      }
    }
    return isChosen;
  }

  /** Encodes the events together, and adds them to the groups that have chosen them. */
  #addChosen(events: readonly AgentEvent[]): void {
    if (events.length === 0) return;
    const { buffer, byteOffset, length } = this.#encodeFrames(events as readonly PlainEvent[]);
    const frames = Buffer.from(buffer, byteOffset, length);
    let first = 0;
    for (let at = 0; at < length;) {
      const ends: number[] = [];
      const next = this.#buffer.addFrames(frames, at, ends);
      const { bytes, end } = this.#buffer;
      const start = end - (next - at);
      for (const group of this.#groups.values()) if (!group.isShaped) group.addChosen(bytes, start, ends, first);
      first += ends.length;
      at = next;
    }
  }

  #dispatchLoss(event: Extract<AgentEvent, { readonly type: 'lost' }>): void {
    const start = this.#encodeOnce(event);
    const { bytes, end } = this.#buffer;
    for (const group of this.#groups.values()) group.addLoss(event, bytes, start, end, this.#encoder.timeLength);
  }

  /** Encodes the current event unless that is done. Returns its offset in the buffer. */
  #encodeOnce(event: AgentEvent): number {
    if (this.#start < 0) this.#start = this.#buffer.add(this.#encoder.encode(event));
    return this.#start;
  }

  /** Returns the encoded current event, for filters. */
  eventBytes(event: AgentEvent): Uint8Array {
    const start = this.#encodeOnce(event);
    return this.#buffer.bytes.subarray(start + HEADER, this.#buffer.end);
  }
}

/** Streams that change their events, or whose filters are not known, are alone in their group. */
function groupKey(stream: EventStream, { filterKey, shape }: Subscription): string | EventStream {
  if (shape !== undefined || filterKey === undefined) return stream;
  return `${stream.hasChanges ? 'changes' : 'no changes'} ${filterKey}`;
}
