/** Cooperative yielding: long work on the main thread is a generator, and the event loop runs between its slices. */

/** Longest slice, in milliseconds: the time between two yields to the event loop. */
const LONGEST_SLICE_MS = 5;

/** Work that yields wherever it can pause, about once a millisecond or more often. */
export type Steps<T> = Generator<void, T, void>;

/** Resolves after the event loop has handled its pending events. */
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

/** Runs all steps without a pause, for callers that are synchronous. */
export function runToCompletion<T>(steps: Steps<T>): T {
  let next = steps.next();
  while (next.done !== true) next = steps.next();
  return next.value;
}
