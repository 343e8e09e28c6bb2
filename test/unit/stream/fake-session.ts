/** A fake session without a kernel, and a hub that reads from it. */
import type { NativeSession, NativeSource } from '../../../lib/native/binding.js';
import type { HookLosses, MissedRuns } from '../../../lib/native/records.js';
import { ProcessCache } from '../../../lib/process/cache.js';
import { Clock } from '../../../lib/process/clock.js';
import { Hub, type HubOptions } from '../../../lib/stream/hub.js';
import type { TracerEvent } from '../../../types/events.js';
import { execRecord, PID_BASE, testProcess } from '../wire/records.js';

/** Without the addon, a source does not track objects. */
export const UNWATCHED: Pick<NativeSource, 'track' | 'takeTracked'> = { track: () => [], takeTracked: () => [] };

export class FakeSession {
  track = UNWATCHED.track;
  takeTracked = UNWATCHED.takeTracked;
  records: Buffer[] = [];
  losses: HookLosses[] = [];
  missed: MissedRuns[] = [];
  /** The number of records that are still being written. They use space, but cannot be read. */
  busy = 0;
  active = false;
  arms = 0;
  onReadable: () => void = () => undefined;
  drain(buffer: Uint8Array, offset: number): number {
    for (const record of this.records.splice(0)) {
      buffer.set(record, offset);
      offset += record.length;
    }
    return offset;
  }
  start(onReadable: () => void): void {
    this.onReadable = onReadable;
  }
  arm(): void {
    this.arms++;
  }
  setActive(active: boolean): void {
    this.active = active;
  }
  unreadBytes(): number {
    return this.records.length + this.busy;
  }
  takeLosses(): HookLosses[] {
    return this.losses.splice(0);
  }
  sweepPending(): Promise<void> {
    return Promise.resolve();
  }
  takeMissedRuns(): MissedRuns[] {
    return this.missed.splice(0);
  }
}

export function fakeHub(session: FakeSession, options: Partial<HubOptions> = {}): Hub {
  const clock = new Clock(() => 0n);
  return new Hub({
    session: session as unknown as NativeSession,
    cache: new ProcessCache({ nodeName: 'n', clock }),
    clock,
    hooks: new Map(),
    nodeName: 'n',
    coalesceMs: 0,
    bufferSize: 2 ** 26,
    maxQueued: 1000,
    onEmpty: () => undefined,
    ...options,
  });
}

export const execRecords = (from: number, count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => execRecord(testProcess(from + i), testProcess(0)));
export const eventPid = (event: TracerEvent | undefined): unknown =>
  event === undefined ? undefined : event.type === 'lost' ? `lost ${event.count}` : event.process.pid - PID_BASE;
