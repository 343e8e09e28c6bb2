/**
 * Gives the event loop its turns while events are read without a pause. Promises that are already resolved continue
 * before timers, signals and input, so that a flood of events would hold all of them up.
 */

/** Longest time without a turn of the event loop. */
const TURN_MS = 5;
/** Most events between two looks at the clock. A look costs as much as half an event. */
const EVENTS_MAX = 64;

export class Turns {
  #last = performance.now();
  #next: Promise<void> | undefined;

  /** Says that the event loop has just had a turn: the caller was called by a timer or by the kernel. */
  begin(): void {
    this.#last = performance.now();
  }

  /** True if the next event has to wait for next(). */
  get due(): boolean {
    return performance.now() - this.#last >= TURN_MS;
  }

  /** Resolves after the next turn of the event loop. Timers, signals and input have been handled by then. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#next = undefined;
        this.begin();
        resolve();
      });
    });
    return this.#next;
  }
}

/** Decides when an iterator looks at the clock: after each event of a slow consumer, seldom for a fast one. */
export class ClockLooks {
  #every = 1;
  #at = 0;

  /** Looks at the clock. Returns the number of events until the next look. */
  look(): number {
    const now = performance.now();
    const took = now - this.#at;
    this.#at = now;
    // A quarter of the longest time, so that a consumer that becomes slower is noticed in time.
    this.#every = took < TURN_MS / 4 ? Math.min(2 * this.#every, EVENTS_MAX) : Math.max(this.#every >> 1, 1);
    return this.#every - 1;
  }
}
