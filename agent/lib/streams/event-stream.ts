/**
 * The stream of events for one client. Events wait in a bounded queue until the client has received the previous
 * ones. Events that do not fit are counted, and a message in their position reports how many are missing.
 */
import type { EventEncoder, FilteredEvent, LossFields } from 'polytrace/protocol';
import { Frames, HEADER, FrameBuffer, messageEnd, type Chunk } from './frames.js';

/** Maximum bytes of a write, so that little waits in HTTP/2. */
const WRITE_BYTES = 256 * 1024;
/** A smaller part of a shared buffer is copied, so that a stream with few events does not keep whole buffers. */
const COPY_BYTES_MAX = 8 * 1024;

/**
 * Maximum of different losses that are kept while the queue is full. Further ones are counted as losses of this
 * stream.
 */
const LOSSES_MAX = 256;

/** Changes the encoded event for one client. Returns undefined if the event is not sent now. */
export type Shaper = (message: Buffer, timeLength: number) => Uint8Array | undefined;

export interface StreamOptions {
  /** Returns true for an event that the client requested. Undefined: all events. Lost events are always sent. */
  readonly isWanted?: ((event: FilteredEvent) => boolean) | undefined;
  readonly shape?: Shaper | undefined;
  /** The client knows events of the type `change`. */
  readonly hasChanges?: boolean | undefined;
  /** Sends messages, and calls `sent` when they are written. */
  readonly send: (frames: Frames, sent: () => void) => void;
  /** Returns the maximum of bytes in the queue. */
  readonly queueBytes: () => number;
  readonly encoder: EventEncoder;
  readonly nodeName: string;
}

export class EventStream {
  readonly isWanted: ((event: FilteredEvent) => boolean) | undefined;
  readonly hasChanges: boolean;
  readonly #options: StreamOptions;
  readonly #ownBuffer: FrameBuffer | undefined;
  #chunks: Chunk[] = [];
  #bytes = 0;
  #sending = false;
  #dropped = 0;
  /** Losses that did not fit into the queue: one entry for each hook, policy and reason. */
  readonly #losses = new Map<string, LossFields>();
  #ended = false;
  #lastAdded: Chunk | undefined;
  #idle: (() => void) | undefined;
  /** Number of messages given to HTTP/2, and of dropped events. */
  sent = 0;
  lost = 0;
  /** The stream is about to be ended, because its filters take too long. */
  isEnding = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.isWanted = options.isWanted;
    this.hasChanges = options.hasChanges === true;
    if (options.shape !== undefined) this.#ownBuffer = new FrameBuffer();
  }

  /** Maximum of bytes in the queue. */
  get maxBytes(): number {
    return this.#options.queueBytes();
  }

  get queuedBytes(): number {
    return this.#bytes;
  }

  /** Adds an event that is encoded in a shared buffer. */
  add(bytes: Buffer, start: number, end: number, timeLength: number): void {
    if (this.#ended) return;
    if (this.#isFull(end - start)) return this.#drop();
    const own = this.#ownBuffer;
    if (own === undefined) return this.#append(bytes, start, end);
    const shaped = this.#options.shape?.(bytes.subarray(start + HEADER, end), timeLength);
    if (shaped !== undefined) this.#addOwn(own, shaped);
  }

  /** Adds events that follow each other in a shared buffer. If not all of them fit, they are added one by one. */
  addRun(bytes: Buffer, start: number, end: number, messages: number): void {
    if (this.#ended) return;
    if (!this.#hasUnreportedLoss && this.#bytes + end - start <= this.#options.queueBytes())
      return this.#append(bytes, start, end, messages);
    for (let at = start; at < end;) {
      const next = messageEnd(bytes, at);
      this.add(bytes, at, next, 0);
      at = next;
    }
  }

  /**
   * Adds the report of a loss. If the queue is full, the loss is kept separately, because its events have to be
   * reported.
   */
  addLoss(loss: LossFields, bytes: Buffer, start: number, end: number, timeLength: number): void {
    if (this.#ended) return;
    if (!this.#isFull(end - start)) return this.add(bytes, start, end, timeLength);
    const { hook, policyName, reason } = loss;
    const key = `${hook}\0${policyName}\0${reason}`;
    const known = this.#losses.get(key);
    if (known === undefined && this.#losses.size >= LOSSES_MAX) this.#dropped += loss.count;
    else this.#losses.set(key, { hook, policyName, reason, count: (known?.count ?? 0) + loss.count });
  }

  /** True if there is a loss that was not reported to the client. */
  get #hasUnreportedLoss(): boolean {
    return this.#dropped > 0 || this.#losses.size > 0;
  }

  /** Adds a message of this stream only, which stands for `events` events. */
  addMessage(message: Uint8Array, events: number): void {
    if (this.#ended) return;
    if (this.#isFull(message.length)) this.#drop(events);
    else this.#addOwn(this.#ownBuffer ?? new FrameBuffer(), message);
  }

  #addOwn(buffer: FrameBuffer, message: Uint8Array): void {
    const start = buffer.addBytes(message);
    this.#append(buffer.bytes, start, buffer.end);
  }

  /**
   * After a loss, the queue has to be half empty before it accepts events. This keeps the number of loss reports low.
   */
  #isFull(bytes: number): boolean {
    const maxBytes = this.#options.queueBytes();
    return this.#hasUnreportedLoss ? this.#bytes > maxBytes / 2 : this.#bytes > 0 && this.#bytes + bytes > maxBytes;
  }

  #drop(events = 1): void {
    this.#dropped += events;
    this.lost += events;
  }

  #append(bytes: Buffer, start: number, end: number, messages = 1): void {
    if (this.#hasUnreportedLoss) this.#reportLosses();
    this.#bytes += end - start;
    const last = this.#lastAdded;
    if (last !== undefined && last.bytes === bytes && last.end === start) {
      last.end = end;
      last.messages += messages;
    } else {
      this.#chunks.push((this.#lastAdded = { bytes, start, end, messages }));
    }
  }

  /** Queues the reports of losses before the next event. */
  #reportLosses(): void {
    const { encoder, nodeName } = this.#options;
    const time = BigInt(Date.now()) * 1_000_000n;
    const messages = [...this.#losses.values()].map((loss) => encoder.encodeLoss({ ...loss, time, nodeName }).take());
    const own = { hook: 'GetEvents', policyName: '', reason: 'slow_consumer', count: this.#dropped } as const;
    if (own.count > 0) messages.push(encoder.encodeLoss({ ...own, time, nodeName }).take());
    this.#dropped = 0;
    this.#losses.clear();
    for (const message of messages) {
      const buffer = new FrameBuffer();
      const start = buffer.addBytes(message);
      this.#bytes += buffer.end - start;
      const bytes = Buffer.from(buffer.bytes.subarray(start, buffer.end));
      this.#chunks.push({ bytes, start: 0, end: bytes.length, messages: 1 });
    }
    this.#lastAdded = undefined;
  }

  /** Sends queued messages. Called after each batch of events. */
  flush(): void {
    this.#detach();
    if (this.#sending || this.#ended) return;
    if (this.#chunks.length === 0 && this.#hasUnreportedLoss) this.#reportLosses();
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

  /**
   * Copies the last chunk if it is small, because the next batch may arrive much later. The next event starts a new
   * chunk.
   */
  #detach(): void {
    const last = this.#lastAdded;
    this.#lastAdded = undefined;
    if (last === undefined || !this.#sending || last.end - last.start >= COPY_BYTES_MAX) return;
    const bytes = Buffer.from(last.bytes.subarray(last.start, last.end));
    this.#chunks[this.#chunks.length - 1] = { bytes, start: 0, end: bytes.length, messages: last.messages };
  }

  #take(): Chunk[] {
    const maxBytes = Math.min(WRITE_BYTES, this.#options.queueBytes() / 4);
    let bytes = 0;
    let count = 0;
    for (const chunk of this.#chunks) {
      bytes += chunk.end - chunk.start;
      if (count > 0 && bytes > maxBytes) break;
      count += 1;
    }
    const taken = this.#chunks.splice(0, count);
    for (const { start, end, messages } of taken) {
      this.#bytes -= end - start;
      this.sent += messages;
    }
    return taken;
  }

  /** Resolves when all queued messages were given to HTTP/2. */
  async drain(): Promise<void> {
    if (this.#ended || (this.#chunks.length === 0 && !this.#hasUnreportedLoss && !this.#sending)) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      this.flush();
    });
  }

  /** Discards the queue: the client has disconnected. */
  end(): void {
    this.#ended = true;
    this.#chunks = [];
    this.#lastAdded = undefined;
    this.#bytes = 0;
    this.#idle?.();
  }
}
