/** Cooperative yielding: long work on the main thread is a generator, and the event loop runs between its slices. */

/** Longest slice, in milliseconds: the time between two yields to the event loop. */
const LONGEST_SLICE_MS = 3;

/**
 * Work that yields wherever it can pause, about once a millisecond or more often. It yields a promise to continue when
 * the promise has resolved; if the promise rejects, the `yield` throws.
 */
export type Steps<T> = Generator<void | Promise<void>, T, void>;

/** Resolves after the event loop has handled its pending events. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

export async function runCooperatively<T>(steps: Steps<T>): Promise<T> {
  let last = performance.now();
  let next = steps.next();
  while (next.done !== true) {
    const isLong = performance.now() - last >= LONGEST_SLICE_MS;
    try {
      if (next.value !== undefined) await next.value;
      else if (isLong) await yieldToEventLoop();
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    if (next.value !== undefined || isLong) last = performance.now();
    next = steps.next();
  }
  return next.value;
}

/** Runs all steps without a pause, for callers that are synchronous. The steps must not wait for promises. */
export function runToCompletion<T>(steps: Steps<T>): T {
  let next = steps.next();
  while (next.done !== true) next = steps.next();
  return next.value;
}

/**
 * Runs the work for each item, `limit` at a time, and resolves with the results in the order of the items. After a failure, no
 * further work begins. Rejects with the first failure when all work has ended.
 */
export async function runAtOnce<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const failures: unknown[] = [];
  const waiting = [...items.entries()];
  const workNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && failures.length === 0; next = waiting.shift()) {
      const [index, item] = next;
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, workNext));
  if (failures.length > 0) throw failures[0];
  return results;
}
