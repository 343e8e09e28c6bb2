/**
 * Reads the ring and hands events to every iterator. Pulls: nothing is read before an iterator asks, so that overload
 * stays in the kernel's ring, where it is counted.
 */
import type { TracerEvent } from '../../types/events.js';
import type { EventsOptions } from '../../types/tracer.js';
import type { NativeSession } from '../native/binding.js';
import type { ProcessCache } from '../process/cache.js';
import type { Clock } from '../process/clock.js';
import { SensorHook } from '../wire/layout.gen.js';
import { Consumer, type EventFeed, type Loss } from './consumer.js';
import { LossEvent, type LoadedHook } from '../events/events.js';
import { RecordReader } from './reader.js';

/** A record that is being written while we look; and the bound on how long a wake-up can be late, see #sleep. */
const RECHECK_MS = 1;
const SAFETY_MS = 20;
/** How long a ring that goes on being filled is read from at the end. */
const LAST_READS_MS = 100;
/** How often the kernel is asked for runs that it skipped. */
const MISSED_MS = 1000;

export interface HubOptions {
  readonly session: NativeSession;
  readonly cache: ProcessCache;
  readonly clock: Clock;
  readonly hooks: ReadonlyMap<number, LoadedHook>;
  readonly nodeName: string;
  readonly coalesceMs: number;
  readonly maxQueued: number;
  /** Called whenever the ring was found empty. */
  readonly onEmpty: () => void;
}

const SENSOR_NAMES: Readonly<Record<number, string>> = {
  [SensorHook.HOOK_EXEC]: 'process_exec',
  [SensorHook.HOOK_EXIT]: 'process_exit',
  [SensorHook.HOOK_FORK]: 'process_fork',
  [SensorHook.HOOK_PROCESS_BITS]: 'binary_sets',
  [SensorHook.HOOK_SOCKETS]: 'socket_owners',
};

const FULL: Readonly<Record<number, Loss['reason']>> = {
  [SensorHook.HOOK_PROCESS_BITS]: 'process_table_full',
  [SensorHook.HOOK_SOCKETS]: 'socket_table_full',
};

/** As losses name a hook of the base sensor. */
export function sensorName(id: number): string | undefined {
  return SENSOR_NAMES[id];
}

export class Hub implements EventFeed {
  readonly #options: HubOptions;
  readonly #reader: RecordReader;
  readonly #consumers = new Set<Consumer>();
  readonly #waiting = new Set<Consumer>();
  readonly #lost = new Map<string, Loss>();
  #timer: NodeJS.Timeout | undefined;
  /** Losses that the kernel told and no iterator has heard of. */
  readonly #untold: LossEvent[] = [];
  /** The same of before the first record. */
  readonly #earlier: LossEvent[] = [];
  /** Found by update(): the cache has not been told. */
  #execsLost = false;
  #armed = false;
  #missedAt = 0;
  #events = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    // losses are asked for after the records were copied: what was lost before one of them is among those counted
    this.#reader = new RecordReader(options.session, options.cache, options.hooks, () =>
      options.cache.onDrained(this.#collectLosses(false)),
    );
    options.session.start(() => this.#onReadable());
  }

  get consumers(): number {
    return this.#consumers.size;
  }

  get events(): number {
    return this.#events;
  }

  get lost(): readonly Loss[] {
    return [...this.#lost.values()];
  }

  join(options: EventsOptions): Consumer {
    const consumer = new Consumer(this, this.#options.maxQueued, options);
    if (!consumer.ended) this.#consumers.add(consumer);
    return consumer;
  }

  leave(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.stopWaiting(consumer);
  }

  pull(): boolean {
    return this.#read(false);
  }

  #read(last: boolean): boolean {
    const records = this.#reader.read();
    if (last) this.update();
    // a record that is still being written hides those behind it; and losses need the names of removed hooks
    if (records === undefined && this.#options.session.used() === 0) this.#options.onEmpty();
    const losses = this.#untold.splice(0);
    const earlier = this.#earlier.splice(0);
    if (records === undefined && losses.length === 0 && earlier.length === 0) return false;
    const isPlain = losses.length === 0 && earlier.length === 0;
    const events = isPlain ? (records ?? []) : [...earlier, ...(records ?? []), ...losses];
    this.#events += records?.length ?? 0;
    for (const consumer of this.#consumers) consumer.offer(events, last);
    return true;
  }

  wait(consumer: Consumer): void {
    this.#waiting.add(consumer);
    if (this.#waiting.size > 1) return;
    this.#options.session.setActive(true);
    this.#sleep();
  }

  stopWaiting(consumer: Consumer): void {
    if (!this.#waiting.delete(consumer) || this.#waiting.size > 0) return;
    this.#options.session.setActive(false);
    this.#setTimer(undefined);
  }

  /**
   * Arms the wake-up. A program that read the flag just before it was set, and whose record was not yet to be seen, wakes
   * nobody: one look a little later finds it.
   */
  #sleep(): void {
    if (!this.#armed) {
      this.#armed = true;
      this.#options.session.arm();
    }
    this.#setTimer(() => this.#afterSleep(), SAFETY_MS);
  }

  #afterSleep(): void {
    if (this.#options.session.used() > 0) {
      this.#deliver();
      return;
    }
    // from here on the flag does it; only skipped runs need asking
    this.#setTimer(() => this.#deliver(), MISSED_MS);
  }

  #onReadable(): void {
    this.#armed = false;
    if (this.#waiting.size === 0) return;
    if (this.#options.coalesceMs === 0) this.#deliver();
    else this.#setTimer(() => this.#deliver(), this.#options.coalesceMs);
  }

  /** Reads once; wakes the waiting, or goes back to sleep. */
  #deliver(): void {
    this.#options.clock.refresh();
    if (this.#read(false)) {
      for (const consumer of [...this.#waiting]) consumer.wake();
      return;
    }
    if (this.#waiting.size === 0) return;
    if (this.#options.session.used() > 0) this.#setTimer(() => this.#deliver(), RECHECK_MS);
    else this.#sleep();
  }

  #setTimer(callback: () => void): void;
  #setTimer(callback: (() => void) | undefined, ms?: number): void;
  #setTimer(callback: (() => void) | undefined, ms = 0): void {
    clearTimeout(this.#timer);
    // what keeps the event loop alive is the session's waiter, not the timer
    this.#timer = callback === undefined ? undefined : setTimeout(callback, ms).unref();
  }

  loss(loss: Loss): LossEvent {
    this.#count(loss);
    return new LossEvent(
      loss.hook,
      loss.policyName,
      loss.reason,
      loss.count,
      this.#options.nodeName,
      this.#options.clock.now(),
    );
  }

  /** What was lost before this session began: those who read next hear of it first. */
  tell(loss: Loss): void {
    this.#earlier.push(this.loss(loss));
  }

  #count(loss: Loss): void {
    const key = `${loss.policyName}\0${loss.hook}\0${loss.reason}`;
    const before = this.#lost.get(key);
    this.#lost.set(key, before === undefined ? loss : { ...before, count: before.count + loss.count });
  }

  /** Brings `lost` up to date. The events of it come with the next records: what was lost came after those. */
  update(): void {
    this.#execsLost = this.#collectLosses(true);
  }

  /** Whether records of execs were lost. */
  #collectLosses(askMissed: boolean): boolean {
    const { session } = this.#options;
    let execsLost = this.#execsLost;
    this.#execsLost = false;
    const result = this.#untold;
    for (const { hook, ring, pending, unreturned } of session.takeLosses()) {
      if (ring > 0) result.push(this.#lossOf(hook, 'ring_full', ring));
      if (pending > 0) result.push(this.#lossOf(hook, FULL[hook] ?? 'pending_full', pending));
      if (unreturned > 0) result.push(this.#lossOf(hook, 'missed', unreturned));
      if (hook === SensorHook.HOOK_EXEC && ring > 0) execsLost = true;
      if (hook === SensorHook.HOOK_EXIT && ring > 0) this.#options.cache.sweep();
    }
    const now = Date.now();
    if (askMissed || now - this.#missedAt >= MISSED_MS) {
      this.#missedAt = now;
      for (const { hook, count } of session.takeMissed()) result.push(this.#lossOf(hook, 'missed', count));
    }
    return execsLost;
  }

  #lossOf(id: number, reason: Loss['reason'], count: number): LossEvent {
    const hook = this.#options.hooks.get(id);
    if (hook !== undefined) hook.tally[reason === 'missed' ? 'missed' : 'unrecorded'] += count;
    return this.loss({
      hook: hook?.functionName ?? sensorName(id) ?? `hook ${id}`,
      policyName: hook?.policyName ?? '',
      reason,
      count,
    });
  }

  /** Hands out what is left in the ring and ends every iteration. `endless`: the ring goes on being filled. */
  end(endless: boolean): void {
    const until = endless ? performance.now() + LAST_READS_MS : Infinity;
    if (this.#consumers.size > 0) {
      while (this.#read(true) && performance.now() < until);
    }
    this.#setTimer(undefined);
    for (const consumer of [...this.#consumers]) consumer.end();
    this.#consumers.clear();
  }
}

export type { TracerEvent };
