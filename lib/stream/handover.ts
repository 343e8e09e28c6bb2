/**
 * Decides which of several tracers reports a call. After a takeover, the records of dead tracers are read as well. While the
 * programs of two tracers are attached, both record each call, but only one record of it becomes an event.
 *
 * A hook of an earlier tracer reports until the same hook of a later one is attached. That moment, `since`, divides the
 * records of both by their times. Processes have no such moment: the second record of an exec, a fork or an exit is recognised.
 */
import type { LoadedHook } from '../events/hook.js';
import type { NativeEarlierRing } from '../native/binding.js';
import type { PendingCall } from '../native/records.js';
import type { ProcessCache } from '../process/cache.js';
import { EventHeader, EventHook, EventType, SensorHook } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { Loss } from './consumer.js';
import { sensorHookName } from './sensor-hooks.js';

/** For this time after the sensor of the next tracer was attached, the records of both sensors are compared. */
const COMPARED_NS = 1_000_000_000n;

export interface EarlierHook {
  readonly policyName: string;
  readonly functionName: string;
  /** Equal for the same hook of two tracers; undefined if it cannot be recognised. */
  readonly key?: string | undefined;
  /** CLOCK_BOOTTIME: an earlier tracer has reported the calls up to then. */
  readonly since?: bigint | undefined;
  /** Undefined: its records cannot be decoded. */
  readonly loaded?: LoadedHook | undefined;
}

export interface EarlierTracerParts {
  readonly ring: NativeEarlierRing;
  readonly hooks: ReadonlyMap<number, EarlierHook>;
  /** CLOCK_BOOTTIME when its base sensor was attached, if it has taken over as well. */
  readonly sensorSince: bigint | undefined;
}

type Reported = Pick<ProcessCache, 'isReported'>;

/** A dead tracer, whose programs may still be attached. */
export class EarlierTracer {
  readonly #parts: EarlierTracerParts;
  /** The hooks whose records can be decoded. */
  readonly hooks: ReadonlyMap<number, LoadedHook>;
  /** CLOCK_BOOTTIME from which on later tracers report, by the keys of hooks. */
  readonly #until = new Map<string, bigint>();
  readonly #sensorUntil: bigint;
  /** Number of records of each hook that were lost before a later tracer reported its calls. */
  readonly #lostUntil = new Map<number, number>();
  readonly #undecodable = new Map<number, number>();
  #execsLost: boolean;
  isFinal = false;

  constructor(parts: EarlierTracerParts, sensorUntil: bigint) {
    this.#parts = parts;
    this.#sensorUntil = sensorUntil;
    this.hooks = new Map([...parts.hooks].flatMap(([id, { loaded }]) => (loaded === undefined ? [] : [[id, loaded]])));
    const losses = parts.ring.losses();
    for (let id = 0; id < SensorHook.HOOK_FIRST_POLICY; id++) this.#lostUntil.set(id, losses.get(id) ?? 0);
    this.#execsLost = losses.has(SensorHook.HOOK_EXEC);
  }

  readonly drain = (buffer: Uint8Array, offset: number): number => this.#parts.ring.drain(buffer, offset);
  readonly unreadBytes = (): number => this.#parts.ring.unreadBytes();

  /** The policy of a hook; undefined if it is not known. */
  policyName(id: number): string | undefined {
    return this.#parts.hooks.get(id)?.policyName;
  }

  /** True if the hook with this key still reports. */
  reports(key: string): boolean {
    return !this.#until.has(key) && [...this.#parts.hooks.values()].some((hook) => hook.key === key);
  }

  /** From this time on, a later tracer reports the calls of the hook with this key. */
  endHook(key: string, time: bigint): void {
    if (this.#until.has(key)) return;
    this.#until.set(key, time);
    const losses = this.#parts.ring.losses();
    for (const [id, hook] of this.#parts.hooks) if (hook.key === key) this.#lostUntil.set(id, losses.get(id) ?? 0);
  }

  accepts(chunk: RecordChunk, at: number, cache: Reported): boolean {
    const time = chunk.u64(at + EventHeader.time);
    if (chunk.u16(at + EventHeader.type) !== EventType.EVENT_HOOK) {
      return time <= this.#sensorUntil + COMPARED_NS && !cache.isReported(chunk, at);
    }
    const id = chunk.u32(at + EventHook.hook);
    if (!this.#isOwn(id, time)) return false;
    if (this.hooks.has(id)) return true;
    this.#undecodable.set(id, (this.#undecodable.get(id) ?? 0) + 1);
    return false;
  }

  /** True if neither an earlier nor a later tracer reports a call at this time. */
  #isOwn(id: number, time: bigint): boolean {
    const hook = this.#parts.hooks.get(id);
    if (hook?.since !== undefined && time <= hook.since) return false;
    const until = hook?.key === undefined ? undefined : this.#until.get(hook.key);
    return until === undefined || time <= until;
  }

  /** Returns true once if records of execs were lost. */
  takeExecLoss(): boolean {
    const lost = this.#execsLost;
    this.#execsLost = false;
    return lost;
  }

  /** Must be called when all of its programs have ended. Returns what was lost. */
  finish(pending: readonly PendingCall[]): Loss[] {
    this.isFinal = true;
    const lost = new Map([...this.#parts.ring.losses(), ...this.#lostUntil]);
    for (const { hook, time } of pending) if (this.#isOwn(hook, time)) lost.set(hook, (lost.get(hook) ?? 0) + 1);
    return this.#toLosses(lost);
  }

  /** Must be called when its records have been read. Returns those that could not be decoded. */
  close(): Loss[] {
    this.#parts.ring.close();
    return this.#toLosses(this.#undecodable);
  }

  #toLosses(counts: ReadonlyMap<number, number>): Loss[] {
    return [...counts].flatMap(([id, count]) => {
      if (count === 0) return [];
      const { policyName = '', functionName = `hook ${id}` } = this.#parts.hooks.get(id) ?? {};
      return [{ hook: sensorHookName(id) ?? functionName, policyName, reason: 'no_reader' as const, count }];
    });
  }
}

export class Handover {
  /** The oldest is the first. */
  readonly earlier: readonly EarlierTracer[];
  readonly #sensorSince: bigint;
  readonly #now: () => bigint;
  /** The ids of this tracer's hooks that are being attached while an earlier one reports their calls. */
  readonly #attaching = new Set<number>();
  readonly #since = new Map<number, bigint>();

  /** `sensorSince`: CLOCK_BOOTTIME when the base sensor of this tracer was attached. */
  constructor(tracers: readonly EarlierTracerParts[], sensorSince: bigint, now: () => bigint) {
    this.#sensorSince = sensorSince;
    this.#now = now;
    this.earlier = tracers.map((parts, i) => new EarlierTracer(parts, tracers[i + 1]?.sensorSince ?? sensorSince));
    for (const [i, { hooks }] of tracers.entries()) {
      for (const { key, since } of hooks.values()) {
        if (key === undefined || since === undefined) continue;
        for (const before of this.earlier.slice(0, i)) before.endHook(key, since);
      }
    }
  }

  /** Must be called before a hook is attached. */
  beginAttach(id: number, key: string | undefined): void {
    this.cancelAttach(id);
    if (key !== undefined && this.earlier.some((tracer) => tracer.reports(key))) this.#attaching.add(id);
  }

  /** Must be called when the hook is attached. Returns the time from which on this tracer reports its calls. */
  endAttach(id: number, key: string | undefined): bigint | undefined {
    if (key === undefined || !this.#attaching.delete(id)) return undefined;
    const since = this.#now();
    for (const tracer of this.earlier) if (tracer.reports(key)) tracer.endHook(key, since);
    this.#since.set(id, since);
    return since;
  }

  cancelAttach(id: number): void {
    this.#attaching.delete(id);
    this.#since.delete(id);
  }

  /** Returns false for a record of this tracer that an earlier one reports. */
  accepts(chunk: RecordChunk, at: number, cache: Reported): boolean {
    const time = chunk.u64(at + EventHeader.time);
    if (chunk.u16(at + EventHeader.type) !== EventType.EVENT_HOOK) {
      return time > this.#sensorSince + COMPARED_NS || !cache.isReported(chunk, at);
    }
    const id = chunk.u32(at + EventHook.hook);
    return !this.#attaching.has(id) && time > (this.#since.get(id) ?? 0n);
  }
}
