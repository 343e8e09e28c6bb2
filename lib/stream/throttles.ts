/**
 * The cgroups whose exec and exit records are not reported now. The kernel reports the start; the stop is a time that it
 * keeps.
 */
import { stopThrottle, type ThrottleEvent } from '../events/throttle.js';

/** Interval of the checks for cgroups that are reported again. */
const CHECK_MS = 1000;

export class Throttles {
  readonly #isThrottled: (cgroup: bigint) => boolean;
  /** The start of each one. The kernel limits the number of cgroups. */
  readonly #starts = new Map<bigint, ThrottleEvent>();
  #checkedAt = -Infinity;

  constructor(isThrottled: (cgroup: bigint) => boolean) {
    this.#isThrottled = isThrottled;
  }

  /** Returns false if the start is known: two processors can report it at the same moment. */
  onStart(event: ThrottleEvent): boolean {
    const { cgroupId } = event;
    if (this.#starts.has(cgroupId)) return false;
    this.#starts.set(cgroupId, event);
    return true;
  }

  /** Returns events for the cgroups that are reported again, at most once in a second. */
  takeStops(nowNs: () => bigint): ThrottleEvent[] {
    if (this.#starts.size === 0 || performance.now() - this.#checkedAt < CHECK_MS) return [];
    this.#checkedAt = performance.now();
    const ended = [...this.#starts].filter(([cgroup]) => !this.#isThrottled(cgroup));
    return ended.map(([cgroup, start]) => {
      this.#starts.delete(cgroup);
      return stopThrottle(start, nowNs());
    });
  }
}
