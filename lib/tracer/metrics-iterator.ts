/** Reads the metrics of a tracer, or of a connection to an agent, at intervals. */
import type { MetricsSample } from '../../types/metrics.js';
import { checkInterval } from './options.js';

/** The iterators of one tracer or connection that have not ended. */
export class MetricsIterators {
  readonly #iterators = new Set<MetricsIterator>();

  /** Throws PolytraceError BAD_OPTION for an interval that is out of range. */
  start(read: () => Promise<MetricsSample>, everyMs: number): MetricsIterator {
    checkInterval(everyMs);
    const iterator = new MetricsIterator(read, everyMs, (ended) => this.#iterators.delete(ended));
    this.#iterators.add(iterator);
    return iterator;
  }

  end(): void {
    for (const iterator of this.#iterators) iterator.end();
    this.#iterators.clear();
  }
}

class MetricsIterator implements AsyncIterableIterator<MetricsSample> {
  readonly #read: () => Promise<MetricsSample>;
  readonly #everyMs: number;
  readonly #onEnd: (iterator: MetricsIterator) => void;
  /** When the next sample is due, by performance.now(). */
  #due = performance.now();
  #isEnded = false;
  /** Ends the waits of pending calls of next(). */
  readonly #waiting = new Set<() => void>();

  constructor(read: () => Promise<MetricsSample>, everyMs: number, onEnd: (iterator: MetricsIterator) => void) {
    this.#read = read;
    this.#everyMs = everyMs;
    this.#onEnd = onEnd;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The first sample comes at once. If a reader is slow, samples are skipped, and never delivered late. */
  async next(): Promise<IteratorResult<MetricsSample, undefined>> {
    const now = performance.now();
    const due = Math.max(this.#due, now);
    const skipped = Math.floor((due - this.#due) / this.#everyMs);
    this.#due += (skipped + 1) * this.#everyMs;
    await this.#wait(due - now);
    if (this.#isEnded) return { done: true, value: undefined };
    try {
      return { done: false, value: await this.#read() };
    } catch (error) {
      if (this.#isEnded) return { done: true, value: undefined };
      throw error;
    }
  }

  #wait(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#isEnded) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      this.#waiting.add(end);
    });
  }

  end(): void {
    this.#isEnded = true;
    for (const end of [...this.#waiting]) end();
  }

  return(): Promise<IteratorResult<MetricsSample, undefined>> {
    this.end();
    this.#onEnd(this);
    return Promise.resolve({ done: true, value: undefined });
  }
}
