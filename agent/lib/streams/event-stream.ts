/**
 * The events for one client. They wait in a bounded queue until the client has taken what was sent before. What finds the queue
 * full is counted, and a message in the stream says how many events are missing at its place.
 */
import type { LostEvent } from 'polytrace';
import type { EventEncoder } from '../encode/events.js';
import type { ProcessEvent } from '../encode/process-parts.js';
import { Frames, HEADER, Slabs, type Chunk } from './frames.js';

/** A write has at most so many bytes, so that what waits in HTTP/2 stays small. */
const WRITE_BYTES = 256 * 1024;
/** Fewer bytes of a shared buffer are copied, so that a stream with few events does not keep whole buffers. */
const OWN_BYTES = 8 * 1024;

/** Different losses that are remembered while a queue is full. Further ones become losses of this stream. */
const LOSSES_MAX = 256;

type Loss = Pick<LostEvent, 'hook' | 'policyName' | 'reason' | 'count'>;

/** Changes the bytes of an event for one client. Undefined leaves the event out for now. */
export type Shaper = (message: Buffer, timeLength: number) => Uint8Array | undefined;

export interface StreamOptions {
  /** True for an event that the client wants. Losses are always wanted. */
  readonly wants?: ((event: ProcessEvent) => boolean) | undefined;
  readonly shape?: Shaper | undefined;
  /** Sends messages and calls back when they are out. */
  readonly send: (frames: Frames, sent: () => void) => void;
  /** Most bytes that wait. */
  readonly queueBytes: () => number;
  readonly encoder: EventEncoder;
  readonly nodeName: string;
}

export class EventStream {
  readonly wants: ((event: ProcessEvent) => boolean) | undefined;
  readonly #options: StreamOptions;
  readonly #own: Slabs | undefined;
  #chunks: Chunk[] = [];
  #bytes = 0;
  #sending = false;
  #dropped = 0;
  /** Reports of losses that found the queue full: one for each hook, policy and reason. */
  readonly #losses = new Map<string, Loss>();
  #ended = false;
  #lastAdded: Chunk | undefined;
  #idle: (() => void) | undefined;
  /** Messages that were given to HTTP/2, and events that were dropped. */
  sent = 0;
  lost = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.wants = options.wants;
    if (options.shape !== undefined) this.#own = new Slabs();
  }

  /** Most bytes that may wait. */
  get mostBytes(): number {
    return this.#options.queueBytes();
  }

  get queuedBytes(): number {
    return this.#bytes;
  }

  /** Adds an event that was encoded to a shared buffer. */
  add(bytes: Buffer, start: number, end: number, timeLength: number): void {
    if (this.#ended) return;
    if (this.#isFull(end - start)) return this.#drop();
    const own = this.#own;
    if (own === undefined) return this.#append(bytes, start, end);
    const shaped = this.#options.shape?.(bytes.subarray(start + HEADER, end), timeLength);
    if (shaped !== undefined) this.#addOwn(own, shaped);
  }

  /** Adds the report of a loss. If the queue is full, it waits beside it: its events must not be forgotten. */
  addLoss(loss: Loss, bytes: Buffer, start: number, end: number, timeLength: number): void {
    if (this.#ended) return;
    if (!this.#isFull(end - start)) return this.add(bytes, start, end, timeLength);
    const { hook, policyName, reason } = loss;
    const key = `${hook}\0${policyName}\0${reason}`;
    const known = this.#losses.get(key);
    if (known === undefined && this.#losses.size >= LOSSES_MAX) this.#dropped += loss.count;
    else this.#losses.set(key, { hook, policyName, reason, count: (known?.count ?? 0) + loss.count });
  }

  /** True if something is missing that the client was not told of. */
  get #isMissing(): boolean {
    return this.#dropped > 0 || this.#losses.size > 0;
  }

  /** Adds a message of this stream alone, which stands for so many events. */
  addMessage(message: Uint8Array, events: number): void {
    if (this.#ended) return;
    if (this.#isFull(message.length)) this.#drop(events);
    else this.#addOwn(this.#own ?? new Slabs(), message);
  }

  #addOwn(slabs: Slabs, message: Uint8Array): void {
    const start = slabs.addBytes(message);
    this.#append(slabs.bytes, start, slabs.end);
  }

  /** After a loss, the queue has to be half empty again: then losses come in few messages. */
  #isFull(bytes: number): boolean {
    const most = this.#options.queueBytes();
    return this.#isMissing ? this.#bytes > most / 2 : this.#bytes > 0 && this.#bytes + bytes > most;
  }

  #drop(events = 1): void {
    this.#dropped += events;
    this.lost += events;
  }

  #append(bytes: Buffer, start: number, end: number): void {
    if (this.#isMissing) this.#tellMissing();
    this.#bytes += end - start;
    const last = this.#lastAdded;
    if (last !== undefined && last.bytes === bytes && last.end === start) {
      last.end = end;
      last.messages += 1;
    } else {
      this.#chunks.push((this.#lastAdded = { bytes, start, end, messages: 1 }));
    }
  }

  /** Events that come later are behind this message. */
  #tellMissing(): void {
    const { encoder, nodeName } = this.#options;
    const time = BigInt(Date.now()) * 1_000_000n;
    const messages = [...this.#losses.values()].map((loss) => encoder.encodeLoss({ ...loss, time, nodeName }).take());
    const own = { hook: 'GetEvents', policyName: '', reason: 'slow_consumer', count: this.#dropped } as const;
    if (own.count > 0) messages.push(encoder.encodeLoss({ ...own, time, nodeName }).take());
    this.#dropped = 0;
    this.#losses.clear();
    for (const message of messages) {
      const slabs = new Slabs();
      const start = slabs.addBytes(message);
      this.#bytes += slabs.end - start;
      const bytes = Buffer.from(slabs.bytes.subarray(start, slabs.end));
      this.#chunks.push({ bytes, start: 0, end: bytes.length, messages: 1 });
    }
    this.#lastAdded = undefined;
  }

  /** Sends what waits. Called after each batch of events. */
  flush(): void {
    this.#detach();
    if (this.#sending || this.#ended) return;
    if (this.#chunks.length === 0 && this.#isMissing) this.#tellMissing();
    if (this.#chunks.length === 0) {
      this.#idle?.();
      return;
    }
    const chunks = this.#take();
    this.#sending = true;
    this.#options.send(new Frames(chunks), () => {
      this.#sending = false;
      this.flush();
    });
  }

  /** Copies the last chunk if it is small, and starts a new one: the next batch may be far away. */
  #detach(): void {
    const last = this.#lastAdded;
    this.#lastAdded = undefined;
    if (last === undefined || !this.#sending || last.end - last.start >= OWN_BYTES) return;
    const bytes = Buffer.from(last.bytes.subarray(last.start, last.end));
    this.#chunks[this.#chunks.length - 1] = { bytes, start: 0, end: bytes.length, messages: last.messages };
  }

  #take(): Chunk[] {
    const most = Math.min(WRITE_BYTES, this.#options.queueBytes() / 4);
    let bytes = 0;
    let count = 0;
    for (const chunk of this.#chunks) {
      bytes += chunk.end - chunk.start;
      if (count > 0 && bytes > most) break;
      count += 1;
    }
    const taken = this.#chunks.splice(0, count);
    for (const { start, end, messages } of taken) {
      this.#bytes -= end - start;
      this.sent += messages;
    }
    return taken;
  }

  /** Resolves when everything that waits was given to HTTP/2. */
  async drained(): Promise<void> {
    if (this.#ended || (this.#chunks.length === 0 && !this.#isMissing && !this.#sending)) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      this.flush();
    });
  }

  /** The client is gone: nothing more is sent. */
  end(): void {
    this.#ended = true;
    this.#chunks = [];
    this.#lastAdded = undefined;
    this.#bytes = 0;
    this.#idle?.();
  }
}
