/** A fake API server with the answers of a test. */
import { ApiError, type Api, type CallOptions, type StreamOptions } from '../../../lib/kubernetes/client.js';

export interface Call extends CallOptions {
  readonly method: string;
  readonly path: string;
}

type Answer = object | Error;

export class FakeApi implements Api {
  readonly calls: Call[] = [];
  readonly streams: {
    readonly path: string;
    readonly options: StreamOptions;
    push(line: object): void;
    end(error?: Error): void;
  }[] = [];
  /** Returns the answer of a call. An Error is thrown. */
  answer: (call: Call) => Answer = () => ({});
  /** The error of the next streams. */
  refuse: Error | undefined;
  #waiting: (() => void)[] = [];

  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const call = { method, path, ...options };
    this.calls.push(call);
    this.#wake();
    const answer = this.answer(call);
    await Promise.resolve();
    if (answer instanceof Error) throw answer;
    return answer as T;
  }

  async *streamLines<T>(path: string, options: StreamOptions): AsyncGenerator<T, void> {
    if (this.refuse !== undefined) throw this.refuse;
    options.signal.throwIfAborted();
    const lines: (object | Error | undefined)[] = [];
    let wake: () => void = () => undefined;
    const push = (line: object | Error | undefined): void => {
      lines.push(line);
      wake();
    };
    options.signal.addEventListener('abort', () => push(new Error('aborted')));
    this.streams.push({ path, options, push, end: (error) => push(error) });
    options.onOpen();
    this.#wake();
    for (;;) {
      while (lines.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const line = lines.shift();
      if (line === undefined) return;
      if (line instanceof Error) throw line;
      yield line as T;
    }
  }

  /** Resolves when `holds` returns true. It is called after each request. */
  async waitUntil(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export const createGoneError = (): ApiError => new ApiError(410, 'Expired', 'too old resource version');
