/**
 * The queue of one iterator: the events that wait for it, and the number of events that were dropped because it was
 * slow.
 */
import { hookName } from '../names/attach-points.js';
import type { LossReason, TracerEvent } from '../../types/events.js';
import type { EventsOptions, TracerIterator } from '../../types/tracer.js';
import { eventFilter } from '../output/filters.js';
import type { LineSink } from './line-sink.js';
import { ClockSampler, type YieldTimer } from './yield-timer.js';

export interface Loss {
  readonly hook: string;
  readonly policyName: string;
  readonly reason: LossReason;
  readonly count: number;
}

/** The source of events for consumers. */
export interface EventFeed {
  readonly yieldTimer: YieldTimer;
  /** Reads the available events and hands them to every consumer. Returns false if there are none. */
  pull(): boolean;
  /** Reads the available records, and adds their lines. Returns false if there are none, or if they need events. */
  pullLines(sink: LineSink): boolean;
  /** Calls wake() of waiting consumers when there are more events. */
  wait(consumer: Consumer): void;
  stopWaiting(consumer: Consumer): void;
  removeConsumer(consumer: Consumer): void;
  createLoss(loss: Loss): TracerEvent;
}

/** The result of an iterator that has ended. */
export const DONE = Object.freeze({ value: undefined, done: true });

const FILTER_OPTIONS = ['types', 'policyNames', 'pods', 'namespaces', 'containers', 'labels', 'host'] as const;

type Filter = (event: TracerEvent) => boolean;

export class Consumer {
  readonly #feed: EventFeed;
  readonly #filter: Filter | undefined;
  readonly #maxQueued: number;
  #batches: (readonly TracerEvent[])[] = [];
  #queued = 0;
  #dropped = new Map<string, { hook: string; policyName: string; count: number }>();
  #ended = false;
  #closed = false;
  #waiting: (() => void) | undefined;
  #readsLines = false;
  readonly #signal: EventsOptions['signal'];
  readonly #onAbort = (): void => this.close();

  constructor(feed: EventFeed, maxQueued: number, options: Omit<EventsOptions, 'plain'>) {
    this.#feed = feed;
    this.#maxQueued = maxQueued;
    if (FILTER_OPTIONS.some((name) => options[name] !== undefined)) this.#filter = eventFilter(options);
    this.#signal = options.signal;
    if (this.#signal?.aborted === true) this.#ended = true;
    else this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get yieldTimer(): YieldTimer {
    return this.#feed.yieldTimer;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** True if the iterator or its signal ended the consumer. Events that were already fetched are then not returned. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Receives the events that the feed has read. `last` means that the stream ends: the queue limit does not apply. */
  offer(events: readonly TracerEvent[], last: boolean): void {
    if (this.#ended) return;
    const wanted = this.#filter === undefined ? events : events.filter(this.#filter);
    if (wanted.length === 0) return;
    if (this.#queued > 0 && this.#queued + wanted.length > this.#maxQueued && !last) {
      for (const event of wanted) this.#drop(event);
      return;
    }
    // The `lost` events stand where the dropped events were.
    const batch = this.#dropped.size === 0 ? wanted : [...this.#takeDropped(), ...wanted];
    this.#batches.push(batch);
    this.#queued += batch.length;
  }

  #takeDropped(): TracerEvent[] {
    const losses = [...this.#dropped.values()].map(({ hook, policyName, count }) =>
      this.#feed.createLoss({ hook, policyName, reason: 'slow_consumer', count }),
    );
    this.#dropped.clear();
    return losses;
  }

  #drop(event: TracerEvent): void {
    const hook = hookName(event);
    const policyName = 'policyName' in event ? event.policyName : '';
    const count = event.type === 'lost' ? event.count : 1;
    const key = `${policyName}\0${hook}`;
    const entry = this.#dropped.get(key);
    if (entry === undefined) this.#dropped.set(key, { hook, policyName, count });
    else entry.count += count;
  }

  /** Returns the next events without waiting; undefined if there are none now. */
  take(): readonly TracerEvent[] | undefined {
    if (this.#batches.length === 0 && !this.#ended) this.#feed.pull();
    const batch = this.#batches.shift();
    if (batch !== undefined) this.#queued -= batch.length;
    if (batch === undefined || this.#batches.length > 0 || this.#dropped.size === 0) return batch;
    // The dropped events came after all queued events.
    return [...batch, ...this.#takeDropped()];
  }

  /** True if its iterator makes lines of records, which then need no events. */
  get takesRecords(): boolean {
    return this.#readsLines && this.#filter === undefined && this.#batches.length === 0 && this.#dropped.size === 0;
  }

  /** Adds the lines of the next events without waiting. Returns false if there are none now. */
  addLines(sink: LineSink): boolean {
    this.#readsLines = true;
    if (this.takesRecords && !this.#ended && this.#feed.pullLines(sink)) return true;
    const batch = this.take();
    if (batch !== undefined) sink.addEvents(batch);
    return batch !== undefined;
  }

  /** Resolves when take() may return events, or when the stream has ended. */
  async waitForEvents(): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      const before = this.#waiting;
      this.#waiting = () => {
        before?.();
        resolve();
      };
      this.#feed.wait(this);
    });
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#feed.stopWaiting(this);
    waiting?.();
  }

  /** No more events will be offered. Events in the queue can still be taken. */
  end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.wake();
  }

  /** The iterator wants no more events. */
  close(): void {
    this.#closed = true;
    this.#batches = [];
    this.#queued = 0;
    this.#dropped.clear();
    this.#feed.removeConsumer(this);
    this.end();
  }
}

/** Closes the consumer of an iterator that was garbage-collected: nobody can read its queue. */
const collectedIterators = new FinalizationRegistry<Consumer>((consumer) => consumer.close());

/** An iterator of a consumer: ending one ends the other. */
export abstract class ConsumerIterator<T> implements TracerIterator<T> {
  constructor(protected readonly consumer: Consumer) {
    collectedIterators.register(this, consumer);
  }

  abstract next(): Promise<IteratorResult<T, undefined>>;

  return(): Promise<IteratorResult<T, undefined>> {
    this.consumer.close();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** Iterates over arrays of events. Each array contains all events that are available. */
export class BatchIterator extends ConsumerIterator<readonly TracerEvent[]> {
  async next(): Promise<IteratorResult<readonly TracerEvent[], undefined>> {
    for (;;) {
      const batch = this.consumer.take();
      if (batch !== undefined)
        return this.consumer.yieldTimer.isDue ? this.#afterYield(batch) : { value: batch, done: false };
      if (this.consumer.isEnded) return DONE;
      await this.consumer.waitForEvents();
    }
  }

  async #afterYield(value: readonly TracerEvent[]): Promise<IteratorResult<readonly TracerEvent[], undefined>> {
    await this.consumer.yieldTimer.yieldToEventLoop();
    return this.consumer.isClosed ? DONE : { value, done: false };
  }
}

/** Iterates over single events. It is written by hand because an async generator costs twice as much per item. */
export class EventIterator extends ConsumerIterator<TracerEvent> {
  #batch: readonly TracerEvent[] = [];
  #index = 0;
  /** Index at which the clock is read again. */
  #until = 0;
  readonly #sampler = new ClockSampler();

  next(): Promise<IteratorResult<TracerEvent, undefined>> {
    if (this.#index < this.#until && !this.consumer.isClosed) {
      return Promise.resolve({ value: this.#batch[this.#index++] as TracerEvent, done: false });
    }
    return this.#sampleOrRefill();
  }

  async #sampleOrRefill(): Promise<IteratorResult<TracerEvent, undefined>> {
    for (;;) {
      if (this.consumer.isClosed) this.#batch = [];
      // Another call may have fetched events while this one waited.
      if (this.#index < this.#batch.length) return this.#takeAndSample();
      this.#batch = this.consumer.take() ?? [];
      this.#index = this.#until = 0;
      if (this.#batch.length > 0) continue;
      if (this.consumer.isEnded) return DONE;
      await this.consumer.waitForEvents();
    }
  }

  /** The event is taken before the wait, so that several calls at once are answered in their order. */
  async #takeAndSample(): Promise<IteratorResult<TracerEvent, undefined>> {
    const value = this.#batch[this.#index++] as TracerEvent;
    this.#until = Math.min(this.#index + this.#sampler.sample(), this.#batch.length);
    if (!this.consumer.yieldTimer.isDue) return { value, done: false };
    await this.consumer.yieldTimer.yieldToEventLoop();
    return this.consumer.isClosed ? DONE : { value, done: false };
  }

  override return(): Promise<IteratorResult<TracerEvent, undefined>> {
    this.#batch = [];
    return super.return();
  }
}
