/** Joins arrays of events that are available at the same time: a write into a file costs as much as many events. */

/** No array is added to one of this length. More events that are alive at a time cost more garbage collection. */
const JOINED_MIN = 384;
/** A promise that needs no event of the event loop is settled after so many turns of the microtask queue. */
const TURNS = 4;

export async function* joinBatches<E>(batches: AsyncIterable<readonly E[]>): AsyncGenerator<readonly E[], void> {
  const iterator = batches[Symbol.asyncIterator]();
  let waiting: Promise<IteratorResult<readonly E[], unknown>> | undefined;
  try {
    for (;;) {
      const result = await (waiting ?? iterator.next());
      waiting = undefined;
      if (result.done === true) return;
      let joined = result.value;
      while (joined.length < JOINED_MIN) {
        waiting = iterator.next();
        const more = await takeSettled(waiting);
        if (more === undefined || more.done === true) break;
        waiting = undefined;
        joined = joined.concat(more.value);
      }
      yield joined;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Returns undefined if the promise is rejected, or is not settled soon. */
async function takeSettled<T>(promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  promise.then(
    (value) => (result = value),
    () => undefined,
  );
  for (let turn = 0; turn < TURNS && result === undefined; turn++) await Promise.resolve();
  return result;
}
