/** Limits the time that the agent waits for the API server. */
import type { Api } from './client.js';

/** Resolves or rejects with the promise, or rejects after a time. */
export async function rejectAfter<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the API server did not answer in ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns an API whose calls also end when `signal` is aborted. Streams have signals of their own. */
export function withSignal(api: Api, signal: AbortSignal): Api {
  return {
    call: (method, path, options = {}) => {
      const all = options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
      return api.call(method, path, { ...options, signal: all });
    },
    streamLines: (path, options) => api.streamLines(path, options),
  };
}
