/** Reads the tracer's events, encodes each at most once, and gives it to every stream that wants it. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Process, Redactor, Tracer, TracerEvent } from 'polytrace';
import { EventEncoder } from '../encode/events.js';
import type { EncodeOptions } from '../encode/options.js';
import type { ProcessEvent } from '../encode/process-parts.js';
import { GetEventsResponseSchema } from '../proto/tetragon/events.gen.js';
import type { Process as ProcessMessage } from '../proto/tetragon/tetragon.gen.js';
import { EventStream, type Shaper } from './event-stream.js';
import { HEADER, Slabs, type Frames } from './frames.js';

/** Most bytes that wait for one client, and for all clients together. */
const STREAM_BYTES = 4 * 1024 * 1024;
const ALL_BYTES = 48 * 1024 * 1024;

export interface HubOptions extends EncodeOptions {
  readonly nodeName: string;
  /** Most bytes that wait for one client. Default 4 MiB. */
  readonly queueBytes?: number;
}

/** A client's wishes. */
export interface Subscription {
  readonly wants?: ((event: ProcessEvent) => boolean) | undefined;
  readonly shape?: Shaper | undefined;
  readonly send: (frames: Frames, sent: () => void) => void;
}

/** Others in the agent that see each event: the export, the metrics. It must not keep the event. */
export type Listener = (events: readonly TracerEvent[]) => void;

export class EventHub {
  readonly #encoder: EventEncoder;
  readonly #slabs = new Slabs();
  readonly #streams = new Set<EventStream>();
  readonly #listeners = new Set<Listener>();
  readonly #options: HubOptions;
  /** Events that clients did not get that are gone now. */
  #lostBefore = 0;
  /** Where the event that is given now begins in the slab; -1 until it is encoded. */
  #start = -1;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#encoder = new EventEncoder(options);
  }

  /** Hides parts of arguments in what clients get. */
  get redact(): Redactor | undefined {
    return this.#options.redact;
  }

  get streams(): ReadonlySet<EventStream> {
    return this.#streams;
  }

  /** Events that all clients, also former ones, did not get. */
  get lost(): number {
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
    return stream;
  }

  unsubscribe(stream: EventStream): void {
    if (!this.#streams.delete(stream)) return;
    this.#lostBefore += stream.lost;
    stream.end();
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A process as events have it, with the same fields and hidden parts. */
  messageOf(process: Process): ProcessMessage | undefined {
    const exec = { type: 'process_exec', nodeName: '', time: '', timeNs: 0n, process, tid: process.pid, ancestors: [] };
    const { event } = fromBinary(GetEventsResponseSchema, this.#encoder.encode(exec as unknown as TracerEvent).take());
    return event.case === 'processExec' ? event.value.process : undefined;
  }

  /** Runs until the tracer is closed. */
  async run(tracer: Pick<Tracer, 'batches'>): Promise<void> {
    for await (const batch of tracer.batches()) this.give(batch);
  }

  give(batch: readonly TracerEvent[]): void {
    if (this.#streams.size > 0) {
      for (const event of batch) this.#giveEvent(event);
      for (const stream of this.#streams) stream.flush();
    }
    for (const listener of this.#listeners) listener(batch);
  }

  #giveEvent(event: TracerEvent): void {
    this.#start = -1;
    for (const stream of this.#streams) {
      if (stream.wants !== undefined && event.type !== 'lost' && !stream.wants(event)) continue;
      const start = this.#encode(event);
      const { bytes, end } = this.#slabs;
      const { timeLength } = this.#encoder;
      if (event.type === 'lost') stream.addLoss(event, bytes, start, end, timeLength);
      else stream.add(bytes, start, end, timeLength);
    }
  }

  /** Encodes the event that is given now, if that was not done. Returns where it begins in the slab. */
  #encode(event: TracerEvent): number {
    if (this.#start < 0) this.#start = this.#slabs.add(this.#encoder.encode(event));
    return this.#start;
  }

  /** The event that is given now, in protobuf. Filters ask for it. */
  encoded(event: TracerEvent): Uint8Array {
    const start = this.#encode(event);
    return this.#slabs.bytes.subarray(start + HEADER, this.#slabs.end);
  }
}
