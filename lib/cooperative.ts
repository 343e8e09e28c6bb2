/** Long work of JavaScript on the main thread: it is done in steps, and between them the event loop gets its turns. */

/** Longest time without a turn of the event loop. */
const LONGEST_SLICE_MS = 5;

/** Yields wherever it can pause, at least every millisecond or so. */
export type Steps<T> = Generator<void, T, void>;

/** Gives the event loop a turn. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

export async function runCooperatively<T>(steps: Steps<T>): Promise<T> {
  let last = performance.now();
  for (let next = steps.next(); ; next = steps.next()) {
    if (next.done === true) return next.value;
    if (performance.now() - last < LONGEST_SLICE_MS) continue;
    await yieldToEventLoop();
    last = performance.now();
  }
}

/** For those who cannot wait. */
export function runToCompletion<T>(steps: Steps<T>): T {
  let next = steps.next();
  while (next.done !== true) next = steps.next();
  return next.value;
}
