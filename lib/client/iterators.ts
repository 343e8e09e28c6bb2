/** Iterators over the events of an agent, with the interface of those of a tracer. */
import type { PlainEvent } from '../../types/events.js';
import type { EventsOptions, TracerIterator } from '../../types/tracer.js';
import { readEventBatches, type StreamContext } from './event-batches.js';

/** Opens the stream at once, and reads it. */
export class AgentBatches<T> implements TracerIterator<readonly T[]> {
  readonly #controller = new AbortController();
  readonly #batches: AsyncGenerator<readonly PlainEvent[], undefined>;
  readonly #convert: (event: PlainEvent) => T;
  readonly #onEnd: () => void;
  /** The first batch is requested before the first call of next(), so that no event from now on is missed. */
  #first: Promise<IteratorResult<readonly PlainEvent[], undefined>> | undefined;
  readonly #signal: EventsOptions['signal'];
  readonly #stop = (): void => this.#controller.abort();

  constructor(
    context: StreamContext,
    { signal, ...filters }: Omit<EventsOptions, 'plain'>,
    convert: (event: PlainEvent) => T,
    onEnd: () => void,
  ) {
    this.#convert = convert;
    this.#onEnd = onEnd;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#stop, { once: true });
    if (signal?.aborted === true) this.#stop();
    this.#batches = readEventBatches(context, filters, this.#controller.signal);
    this.#first = this.#batches.next();
    this.#first.catch(() => undefined); // next() reports it
  }

  async next(): Promise<IteratorResult<readonly T[], undefined>> {
    const promise = this.#first ?? this.#batches.next();
    this.#first = undefined;
    try {
      const result = await promise;
      // a batch that waited is not reported after the end
      if (result.done !== true && !this.#controller.signal.aborted) {
        return { value: result.value.map(this.#convert), done: false };
      }
    } catch (error) {
      this.#release();
      throw error;
    }
    return this.return();
  }

  async return(): Promise<IteratorResult<readonly T[], undefined>> {
    this.#stop();
    this.#release();
    await this.#batches.return(undefined);
    return { value: undefined, done: true };
  }

  #release(): void {
    this.#signal?.removeEventListener('abort', this.#stop);
    this.#onEnd();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** Iterates over the events of batches. */
export class AgentEvents<T> implements TracerIterator<T> {
  readonly #batches: TracerIterator<readonly T[]>;
  #batch: readonly T[] = [];
  #position = 0;
  /** Calls of next() run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(batches: TracerIterator<readonly T[]>) {
    this.#batches = batches;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const result = this.#turn.then(() => this.#take());
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #take(): Promise<IteratorResult<T, undefined>> {
    while (this.#position >= this.#batch.length) {
      const result = await this.#batches.next();
      if (result.done === true) return result;
      this.#batch = result.value;
      this.#position = 0;
    }
    return { value: this.#batch[this.#position++] as T, done: false };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#batch = [];
    await this.#batches.return();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
