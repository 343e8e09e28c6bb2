/** The work that events wait for: a name of a container, a stack trace, the arguments of a process from /proc. */

/** A kind of work. */
export interface AwaitedWork {
  readonly isWaiting: boolean;
  /** Milliseconds that events still have to wait; 0 if they do not wait any longer. */
  remainingWaitMs(): number;
  stopWaiting(): void;
  /** Called when no event waits any more. */
  onDone: () => void;
}

/** Longest time that events wait. Reading the symbols of a large file takes some hundred milliseconds. */
const WAIT_MS = 1000;

/** Promises that events wait for. A promise that takes longer is not waited for, and does not hold up later events. */
export class LateWork implements AwaitedWork {
  #running = new Set<Promise<void>>();
  #until = 0;
  onDone: () => void = () => undefined;

  /** The promise must not reject for reasons of the traced processes: a rejection becomes a warning. */
  readonly add = (work: Promise<void>): void => {
    if (this.#running.size === 0) this.#until = performance.now() + WAIT_MS;
    const running = this.#running.add(work);
    work
      .catch((error: unknown) => process.emitWarning(error as Error))
      .finally(() => {
        if (running.delete(work) && running.size === 0 && running === this.#running) this.onDone();
      });
  };

  get isWaiting(): boolean {
    return this.#running.size > 0;
  }

  remainingWaitMs(): number {
    if (this.#running.size === 0) return 0;
    const left = this.#until - performance.now();
    if (left > 0) return left;
    this.stopWaiting();
    return 0;
  }

  stopWaiting(): void {
    this.#running = new Set();
  }

  /** Resolves when no event waits any more. */
  async settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, this.remainingWaitMs())));
    await Promise.race([Promise.allSettled(this.#running), late]);
    clearTimeout(timer);
    this.stopWaiting();
  }
}

/** Waits for several kinds of work together. */
export class CombinedWork implements AwaitedWork {
  readonly #parts: readonly AwaitedWork[];
  onDone: () => void = () => undefined;

  constructor(parts: readonly AwaitedWork[]) {
    this.#parts = parts;
    for (const part of parts) {
      part.onDone = () => {
        if (!this.isWaiting) this.onDone();
      };
    }
  }

  get isWaiting(): boolean {
    return this.#parts.some((part) => part.isWaiting);
  }

  remainingWaitMs(): number {
    return Math.max(0, ...this.#parts.map((part) => part.remainingWaitMs()));
  }

  stopWaiting(): void {
    for (const part of this.#parts) part.stopWaiting();
  }
}
