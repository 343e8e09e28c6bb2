/**
 * Yields to the event loop while events are read without a pause. Promises that are already resolved continue before
 * timers, signals and input are handled, so a flood of events would delay all of them.
 */

/** Maximum time between two yields. */
const YIELD_MS = 5;
/** Maximum number of events between two reads of the clock. A read costs as much as half an event. */
const EVENTS_MAX = 64;

export class YieldTimer {
  #last = performance.now();
  #next: Promise<void> | undefined;

  /** Must be called when the event loop has just run: a timer or the kernel called the caller. */
  restart(): void {
    this.#last = performance.now();
  }

  /** True if the next event has to wait for yieldToEventLoop(). */
  get isDue(): boolean {
    return performance.now() - this.#last >= YIELD_MS;
  }

  /** Resolves after the event loop has handled timers, signals and input. */
  yieldToEventLoop(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#next = undefined;
        this.restart();
        resolve();
      });
    });
    return this.#next;
  }
}

/** Decides when an iterator reads the clock: after each event of a slow consumer, seldom for a fast one. */
export class ClockSampler {
  #every = 1;
  #at = 0;

  /** Reads the clock. Returns the number of events until the next read. */
  sample(): number {
    const now = performance.now();
    const took = now - this.#at;
    this.#at = now;
    // A quarter of the maximum time, so that a consumer that becomes slower is noticed in time.
    this.#every = took < YIELD_MS / 4 ? Math.min(2 * this.#every, EVENTS_MAX) : Math.max(this.#every >> 1, 1);
    return this.#every - 1;
  }
}
