/**
 * Reads the ring buffer and hands events to every iterator. Events are read only when an iterator asks for them, so
 * that an overload fills the kernel's ring buffer, where lost events are counted.
 */
import type { TracerEvent } from '../../types/events.js';
import type { EventsOptions } from '../../types/tracer.js';
import type { NativeSession, NativeSource } from '../native/binding.js';
import type { ProcessCache } from '../process/cache.js';
import type { Clock } from '../process/clock.js';
import { SensorHook } from '../wire/layout.gen.js';
import { Consumer, type EventFeed, type Loss } from './consumer.js';
import type { LoadedHook } from '../events/hook.js';
import { LossEvent } from '../events/loss.js';
import type { AwaitedWork, LateWork } from './late-work.js';
import type { LineSink } from './line-sink.js';
import { RecordReader } from './reader.js';
import { EarlierReaders, type EarlierReader } from './earlier-readers.js';
import type { EarlierTracer, Handover } from './handover.js';
import { sensorHookName } from './sensor-hooks.js';
import { Throttles } from './throttles.js';
import { YieldTimer } from './yield-timer.js';

/** Events in a millisecond from which on pauses grow at once. */
const BUSY_RATE = 0.5;
/** If as many events are expected in the longest pause, they wait for its end: a wake-up costs as much as 50 events. */
const EVENTS_OF_PAUSE = 3;
/**
 * Bytes that programs may write in a millisecond while nobody waits for a wake-up. A smaller ring buffer is read more
 * often, so that a sudden flood does not fill it.
 */
const BYTES_PER_MS = 2 ** 20;
/** The same for a reader that polls: one command and its descendants write less than all processes. */
const POLLED_BYTES_PER_MS = 2 ** 18;
/** Delay before reading again when a record is still being written. */
const RECHECK_MS = 1;
/** Time until the first check for a missed wake-up, see #sleep. Further checks follow after four times as long each. */
const SAFETY_MS = 20;
/** Maximum time of the last reads, if programs continue to fill the ring buffer. */
const LAST_READS_MS = 100;
/** Shortest interval of sweeps for processes whose exit records were lost. */
const SWEEP_MS = 1000;
/** Interval of the queries for program runs that the kernel skipped. */
const MISSED_MS = 1000;
/** Hooks that a query asks. Each costs some microseconds, and a tracer can have thousands of them. */
const MISSED_HOOKS = 64;
const ALL_HOOKS = 2 ** 32 - 1;

interface WaitFor {
  readonly work: AwaitedWork;
  /** The part of the work that the last events wait for as well. */
  readonly members: Pick<LateWork, 'isWaiting' | 'settle'>;
  readonly usedMax: number;
}

export interface HubOptions {
  readonly session: NativeSession;
  readonly cache: ProcessCache;
  readonly clock: Clock;
  readonly hooks: ReadonlyMap<number, LoadedHook>;
  readonly nodeName: string;
  /** Most milliseconds between two reads while events come one after the other. */
  readonly coalesceMs: number;
  /** No event is urgent: the records are read every `coalesceMs`, and programs wake nobody. */
  readonly polls?: boolean;
  /** Bytes of the ring buffer. */
  readonly bufferSize: number;
  readonly maxQueued: number;
  /**
   * The work that events wait for; undefined: no event waits. Events do not wait while more than `usedMax` bytes are
   * unread.
   */
  readonly waitFor?: WaitFor | undefined;
  /** Called when the ring buffer is empty. */
  readonly onEmpty: () => void;
  /** The tracers before this one, whose records are read as well. */
  readonly handover?: Handover | undefined;
}

/** Interval of the checks whether the ring buffer fills, while events wait. */
const DELAY_CHECK_MS = 20;

const FULL_REASONS: Readonly<Record<number, Loss['reason']>> = {
  [SensorHook.HOOK_EXEC]: 'throttled',
  [SensorHook.HOOK_EXIT]: 'throttled',
  [SensorHook.HOOK_PROCESS_BITS]: 'process_table_full',
  [SensorHook.HOOK_SOCKETS]: 'socket_table_full',
  [SensorHook.HOOK_MARKS]: 'mark_table_full',
};

export class Hub implements EventFeed {
  readonly yieldTimer = new YieldTimer();
  readonly #options: HubOptions;
  readonly #reader: RecordReader;
  /** Undefined when all records of earlier tracers have been read. */
  #merged: EarlierReaders | undefined;
  readonly #throttles: Throttles;
  readonly #consumers = new Set<Consumer>();
  readonly #waiting = new Set<Consumer>();
  readonly #lossCounts = new Map<string, Loss>();
  #timer: NodeJS.Timeout | undefined;
  /** Losses that the kernel has reported, but that no iterator has received yet. */
  readonly #unreported: LossEvent[] = [];
  /** Hooks that lost calls because their table of active calls was full, perhaps with calls of threads that have ended. */
  readonly #full = new Set<number>();
  #fullSweptAt = -Infinity;
  /** Losses from before this session that no iterator has received yet. */
  readonly #earlier: LossEvent[] = [];
  /** Set by updateLosses() if exec records were lost. The cache does not know it yet. */
  #execsLost = false;
  /** Events that were read and wait for work. No other events are read meanwhile. */
  #delayedEvents: readonly TracerEvent[] | undefined;
  #armed = false;
  /** The current pause, see #sleep. 0: a program wakes the reader. */
  #pauseMs = 0;
  /** The time of the last read. */
  #readAt = -Infinity;
  readonly #pauseMaxMs: number;
  /** The time and the number of events at the last #sleep. */
  #sleptAt = 0;
  #sleptEvents = 0;
  /** Number of events in the last two of the longest pauses. Older events count less. */
  #recentEvents = 0;
  /** Set by end(). From then on, no event is dropped because a queue is full. */
  #ending = false;
  /** Exit records were lost since the last sweep of the cache. */
  #exitsLost = false;
  #sweptAt = -Infinity;
  #missedAt = -Infinity;
  #events = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    const bytesPerMs = options.polls === true ? POLLED_BYTES_PER_MS : BYTES_PER_MS;
    this.#pauseMaxMs = Math.min(options.coalesceMs, Math.floor(options.bufferSize / bytesPerMs));
    // Losses are read after the records were copied, so that they include everything lost before the last record.
    this.#throttles = new Throttles((cgroup) => options.session.isThrottled(cgroup));
    const onDrained = (): void => options.cache.onDrained(this.#collectLosses());
    this.#reader = new RecordReader(options.session, options.cache, options.hooks, onDrained, this.#throttles);
    this.#merged = options.handover && this.#readEarlier(options.handover);
    if (options.waitFor !== undefined) options.waitFor.work.onDone = () => this.#onWorkDone();
    options.session.start(() => this.#onReadable());
  }

  #readEarlier(handover: Handover): EarlierReaders {
    const { session, cache } = this.#options;
    this.#reader.accepts = (chunk, at) => handover.accepts(chunk, at, cache);
    const track: NativeSource['track'] = (object) => session.track(object);
    const takeTracked: NativeSource['takeTracked'] = () => session.takeTracked();
    const earlier = handover.earlier.map((tracer): EarlierReader => {
      const source = { drain: tracer.drain, track, takeTracked };
      const onDrained = (): void => cache.onDrained(tracer.takeExecLoss());
      const reader = new RecordReader(source, cache, tracer.hooks, onDrained, this.#throttles, true);
      reader.accepts = (chunk, at) => tracer.accepts(chunk, at, cache);
      return {
        reader,
        unreadBytes: tracer.unreadBytes,
        isFinal: () => tracer.isFinal,
        close: () => this.#closeEarlier(tracer),
      };
    });
    return new EarlierReaders(earlier, this.#reader);
  }

  #closeEarlier(tracer: EarlierTracer): void {
    for (const loss of tracer.close()) this.reportLoss(loss);
    // the exit records of processes that it knew may be lost
    void this.#options.cache.sweepEnded();
  }

  get consumers(): number {
    return this.#consumers.size;
  }

  get events(): number {
    return this.#events;
  }

  get losses(): readonly Loss[] {
    return [...this.#lossCounts.values()];
  }

  addConsumer(options: Omit<EventsOptions, 'plain'>): Consumer {
    const consumer = new Consumer(this, this.#options.maxQueued, options);
    if (!consumer.isEnded) this.#consumers.add(consumer);
    return consumer;
  }

  removeConsumer(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.stopWaiting(consumer);
  }

  pull(): boolean {
    return !this.#pauses() && this.#read();
  }

  /**
   * While events come one after the other, there is always another one when a consumer has finished the last ones. To read
   * it costs as much as to read fifty, so it waits until the pause is over.
   */
  #pauses(): boolean {
    if (this.#pauseMs === 0 || this.#ending || this.#delayedEvents !== undefined) return false;
    return this.#hasEmptied && performance.now() - this.#readAt < this.#pauseMs;
  }

  #read(last = this.#ending): boolean {
    return (this.#delayedEvents !== undefined || this.#readRecords(last)) && this.#release(last);
  }

  /** Reads the next events into `#delayedEvents`. Returns false if there are none. */
  #readRecords(last: boolean): boolean {
    this.#readAt = performance.now();
    const records = this.#merged === undefined ? this.#reader.readEvents() : this.#readMerged(this.#merged);
    if (last) this.updateLosses();
    this.#checkEmptied(records === undefined);
    const losses = this.#unreported.splice(0);
    const earlier = this.#earlier.splice(0);
    const stops = this.#throttles.takeStops(() => this.#options.clock.now()) as TracerEvent[];
    const more = losses.length + earlier.length + stops.length;
    if (records === undefined && more === 0) return false;
    // The program that wrote a record may have used the wake-up, and the waiter finds nothing any more.
    if (records !== undefined) this.#armed = false;
    const events = more === 0 ? (records ?? []) : [...earlier, ...(records ?? []), ...losses, ...stops];
    this.#events += records?.length ?? 0;
    this.#delayedEvents = events;
    return true;
  }

  /** True if the next records need events, because more than one iterator reads them or because they may have to wait. */
  get #needsEvents(): boolean {
    if (this.#consumers.size > 1 || this.#merged !== undefined || this.#delayedEvents !== undefined) return true;
    return this.#ending || this.#options.waitFor?.work.isWaiting === true;
  }

  pullLines(sink: LineSink): boolean {
    const { waitFor } = this.#options;
    if (this.#needsEvents || this.#pauses()) return false;
    this.#readAt = performance.now();
    if (!this.#reader.fill()) return false;
    this.#armed = false;
    sink.addEvents(this.#earlier.splice(0));
    const { count, isWaiting, held } = this.#reader.addLines(sink, waitFor?.work);
    this.#events += count;
    this.#checkEmptied(false);
    if (isWaiting) {
      // the losses follow the records that are left
      this.#delayedEvents = held && [held];
      return true;
    }
    const stops = this.#throttles.takeStops(() => this.#options.clock.now());
    sink.addEvents([...this.#unreported.splice(0), ...stops] as readonly TracerEvent[]);
    return true;
  }

  /** True if the last read left nothing. */
  get #hasEmptied(): boolean {
    return this.#merged === undefined && this.#reader.hasEmptied;
  }

  /** Called after a read. `foundNone`: it found no record. */
  #checkEmptied(foundNone: boolean): void {
    // A record that is still being written hides later records, whose events still need the names of removed hooks.
    if ((foundNone || this.#hasEmptied) && this.#options.session.unreadBytes() === 0) this.#options.onEmpty();
  }

  #readMerged(merged: EarlierReaders): TracerEvent[] | undefined {
    const records = merged.readEvents();
    if (merged.isOver) {
      this.#merged = undefined;
      this.#reader.accepts = undefined;
    }
    return records;
  }

  /** Bytes of all ring buffers that are not read yet. */
  #unreadBytes(): number {
    return this.#options.session.unreadBytes() + (this.#merged?.unreadBytes() ?? 0);
  }

  /** Hands out the events that were read, unless they have to wait, and wakes the consumers that wait. */
  #release(last: boolean): boolean {
    if (!last && this.#shouldDelay()) return false;
    const events = this.#delayedEvents ?? [];
    this.#delayedEvents = undefined;
    for (const consumer of this.#consumers) consumer.offer(events, last);
    // also those that wait while another one reads: it is unknown when more events come
    for (const consumer of [...this.#waiting]) consumer.wake();
    return true;
  }

  /** Events wait only while the ring buffer has free space. */
  #shouldDelay(): boolean {
    const { waitFor, session } = this.#options;
    if (waitFor?.work.isWaiting !== true) return false;
    if (session.unreadBytes() > waitFor.usedMax) waitFor.work.stopWaiting();
    return waitFor.work.remainingWaitMs() > 0;
  }

  #onWorkDone(): void {
    if (this.#delayedEvents !== undefined && this.#waiting.size > 0) this.#setTimer(() => this.#deliver(), 0);
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
   * Waits for events: for a wake-up or, while events come one after the other, for the end of a pause. The pauses grow
   * while many events come, up to the limit. At a lower rate that lasts, they have their full length.
   *
   * A BPF program that read the wake-up flag just before it was set does not wake this process, and its record may not
   * be visible yet. A check a little later finds that record. On a busy machine, the program can be delayed for longer,
   * so further checks follow.
   */
  #sleep(): void {
    if (this.#delayedEvents !== undefined) {
      this.#setTimer(
        () => this.#deliver(),
        Math.min(this.#options.waitFor?.work.remainingWaitMs() ?? 0, DELAY_CHECK_MS),
      );
      return;
    }
    if (this.#options.polls === true) {
      this.#setTimer(() => this.#poll(), this.#pauseMaxMs);
      return;
    }
    const now = performance.now();
    this.#adaptPause(now);
    if (this.#pauseMs > 0) {
      const passed = this.#hasEmptied ? Math.floor(now - this.#readAt) : 0;
      this.#setTimer(() => this.#deliver(), this.#pauseMs - (passed < this.#pauseMs ? passed : 0));
      return;
    }
    if (!this.#armed) {
      this.#armed = true;
      this.#options.session.arm();
    }
    this.#setTimer(() => this.#afterSleep(SAFETY_MS), SAFETY_MS);
  }

  #adaptPause(now: number): void {
    const events = this.#events - this.#sleptEvents;
    const elapsed = now - this.#sleptAt;
    this.#sleptAt = now;
    this.#sleptEvents = this.#events;
    const memoryMs = 2 * this.#pauseMaxMs || 1;
    this.#recentEvents = this.#recentEvents * Math.exp(-elapsed / memoryMs) + events;
    const isBusy = events > 0 && events >= elapsed * BUSY_RATE;
    const isSteady = events > 0 && this.#recentEvents >= 2 * EVENTS_OF_PAUSE;
    if (isBusy) this.#pauseMs = Math.min(2 * this.#pauseMs || 1, this.#pauseMaxMs);
    else this.#pauseMs = isSteady ? this.#pauseMaxMs : this.#pauseMs >> 1;
  }

  #poll(): void {
    if (this.#unreadBytes() > 0 || performance.now() - this.#missedAt >= MISSED_MS) this.#deliver();
    else this.#sleep();
  }

  #afterSleep(waited: number): void {
    // Only a read finds out about program runs that the kernel skipped.
    if (this.#unreadBytes() > 0 || waited >= MISSED_MS) this.#deliver();
    // the programs of earlier tracers wake nobody
    else if (this.#merged !== undefined) this.#setTimer(() => this.#afterSleep(waited + SAFETY_MS), SAFETY_MS);
    else this.#setTimer(() => this.#afterSleep(4 * waited), 3 * waited);
  }

  #onReadable(): void {
    this.#armed = false;
    this.readNow();
  }

  /** Ends a pause: delivers the events that programs have written. */
  readNow(): void {
    if (this.#waiting.size > 0) this.#deliver();
  }

  /** Reads once. Goes back to sleep if there are no events. */
  #deliver(): void {
    this.yieldTimer.restart();
    this.#options.clock.refresh();
    if (this.#wakeForRecords() || this.#read()) return;
    if (this.#waiting.size === 0) return;
    if (this.#delayedEvents === undefined && this.#unreadBytes() > 0) this.#setTimer(() => this.#deliver(), RECHECK_MS);
    else this.#sleep();
  }

  /** Copies records for an iterator that makes lines of them itself. Returns false if there is none, or no record. */
  #wakeForRecords(): boolean {
    const [consumer] = this.#waiting;
    if (consumer?.takesRecords !== true || this.#needsEvents || !this.#reader.fill()) return false;
    consumer.wake();
    return true;
  }

  #setTimer(callback: () => void): void;
  #setTimer(callback: (() => void) | undefined, ms?: number): void;
  #setTimer(callback: (() => void) | undefined, ms = 0): void {
    clearTimeout(this.#timer);
    // The session's waiter keeps the event loop alive, not this timer.
    this.#timer = callback === undefined ? undefined : setTimeout(callback, ms).unref();
  }

  createLoss(loss: Loss): LossEvent {
    this.#addLoss(loss);
    return new LossEvent(
      loss.hook,
      loss.policyName,
      loss.reason,
      loss.count,
      this.#options.nodeName,
      this.#options.clock.now(),
    );
  }

  /** Reports a loss from before this session. It precedes the events of the next read. */
  reportLoss(loss: Loss): void {
    this.#earlier.push(this.createLoss(loss));
  }

  #addLoss(loss: Loss): void {
    const key = `${loss.policyName}\0${loss.hook}\0${loss.reason}`;
    const { hook, policyName, reason } = loss;
    const count = (this.#lossCounts.get(key)?.count ?? 0) + loss.count;
    this.#lossCounts.set(key, { hook, policyName, reason, count });
  }

  /** Updates `losses`. The `lost` events follow the next records, because the losses happened after them. */
  updateLosses(): void {
    this.#execsLost = this.#collectLosses(ALL_HOOKS);
  }

  /** The same, for a reader of counts who may ask often. Skipped runs of many hooks are read in several calls. */
  refreshLosses(): void {
    this.#execsLost = this.#collectLosses(MISSED_HOOKS);
  }

  /**
   * Collects the losses from the kernel. Returns true if exec records were lost. `missedOf`: the number of hooks whose
   * skipped runs are read; undefined for some of them, when it is time.
   */
  #collectLosses(missedOf?: number): boolean {
    const { session } = this.#options;
    let execsLost = this.#execsLost;
    this.#execsLost = false;
    const result = this.#unreported;
    const updateCache = (hook: number): void => {
      if (hook === SensorHook.HOOK_EXEC) execsLost = true;
      if (hook === SensorHook.HOOK_EXIT) this.#exitsLost = true;
    };
    for (const { hook, ring, pending, unreturned } of session.takeLosses()) {
      if (ring > 0) result.push(this.#createHookLoss(hook, 'ring_full', ring));
      if (pending > 0) result.push(this.#createHookLoss(hook, FULL_REASONS[hook] ?? 'pending_full', pending));
      if (pending > 0 && hook >= SensorHook.HOOK_FIRST_POLICY) this.#full.add(hook);
      if (unreturned > 0) result.push(this.#createHookLoss(hook, 'missed', unreturned));
      // the records of throttled processes are read all the same
      if (ring > 0) updateCache(hook);
    }
    const now = performance.now();
    // a table can be full all the time, too, and a sweep reads all of it
    if (this.#full.size > 0 && now - this.#fullSweptAt >= SWEEP_MS) {
      this.#fullSweptAt = now;
      for (const hook of this.#full) void this.#sweepPending(hook);
      this.#full.clear();
    }
    // A full ring buffer can lose exits all the time, and a sweep reads /proc.
    if (this.#exitsLost && (missedOf !== undefined || now - this.#sweptAt >= SWEEP_MS)) {
      this.#exitsLost = false;
      this.#sweptAt = now;
      void this.#options.cache.sweepEnded();
    }
    if (missedOf !== undefined || now - this.#missedAt >= MISSED_MS) {
      this.#missedAt = now;
      for (const { hook, count } of session.takeMissedRuns(missedOf ?? MISSED_HOOKS)) {
        for (const each of this.#options.hooks.get(hook)?.members ?? [hook]) {
          result.push(this.#createHookLoss(each, 'missed', count));
        }
        updateCache(hook);
      }
    }
    return execsLost;
  }

  async #sweepPending(hook: number): Promise<void> {
    try {
      await this.#options.session.sweepPending(hook);
    } catch {
      // the session is closed, and the table with it
    }
  }

  /** Nothing is read after these events, so they wait for their members even if the ring buffer is full. */
  async #readLast(): Promise<boolean> {
    if (this.#delayedEvents === undefined && !this.#readRecords(true)) return false;
    if (this.#options.waitFor?.members.isWaiting === true) await this.#options.waitFor.members.settle();
    return this.#release(true);
  }

  #createHookLoss(id: number, reason: Loss['reason'], count: number): LossEvent {
    const hook = this.#options.hooks.get(id);
    if (hook !== undefined) hook.tally[reason === 'missed' ? 'missed' : 'unrecorded'] += count;
    return this.createLoss({
      hook: hook?.functionName ?? sensorHookName(id) ?? `hook ${id}`,
      policyName: hook?.policyName ?? '',
      reason,
      count,
    });
  }

  /**
   * Hands out the rest of the ring buffer and ends every iterator. `endless`: programs continue to fill the ring
   * buffer.
   */
  async end(endless: boolean): Promise<void> {
    const until = endless ? performance.now() + LAST_READS_MS : Infinity;
    this.#ending = true;
    this.yieldTimer.restart();
    while (this.#consumers.size > 0 && (await this.#readLast()) && performance.now() < until) {
      if (this.yieldTimer.isDue) await this.yieldTimer.yieldToEventLoop();
    }
    this.#setTimer(undefined);
    for (const consumer of [...this.#consumers]) consumer.end();
    this.#consumers.clear();
    this.#merged?.end();
    this.#reader.end();
  }
}
