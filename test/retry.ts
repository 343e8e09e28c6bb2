/** Calls that another program refuses for a while. */
import { setTimeout as pause } from 'node:timers/promises';

interface RetryOptions {
  /** Most calls. */
  readonly tries: number;
  /** Time between two calls. */
  readonly ms: number;
  /** False for an error that does not pass. Default: every error may pass. */
  readonly mayPass?: (error: unknown) => boolean;
}

/** Calls until there is no error. Throws the error of the last call, or one that does not pass. */
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
