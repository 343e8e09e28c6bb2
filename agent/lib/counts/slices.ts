/** Runs long work in slices, with the event loop between them. */

/** Longest slice, in milliseconds. */
const SLICE_MS = 5;

/** `steps` yields wherever it can pause. */
export async function runInSlices<T>(steps: Generator<void, T, void>): Promise<T> {
  let since = performance.now();
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise((resolve) => void setImmediate(resolve));
    since = performance.now();
  }
}
