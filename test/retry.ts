/** Repeats calls that another program refuses for a while. */
import { setTimeout as pause } from 'node:timers/promises';

interface RetryOptions {
  /** The maximum number of calls. */
  readonly tries: number;
  /** The time between two calls in milliseconds. */
  readonly ms: number;
  /** False for an error that does not go away. Default: every error may go away. */
  readonly mayPass?: (error: unknown) => boolean;
}

/** Calls until there is no error. Throws the error of the last call, or the first error that does not go away. */
export async function retry(call: () => unknown, { tries, ms, mayPass = () => true }: RetryOptions): Promise<void> {
  for (let left = tries; ; left--) {
    try {
      await call();
      return;
    } catch (error) {
      if (left === 1 || !mayPass(error)) throw error;
      await pause(ms);
    }
  }
}
