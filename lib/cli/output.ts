/** Standard output. It waits for a slow reader and ends without an error when the reader has exited. */
import type { Context } from './context.js';

export class EventOutput {
  readonly #stream: Context['stdout'];
  readonly #onError: (error: Error) => void;
  #failure: NodeJS.ErrnoException | undefined;

  /** `onFailure` is called when the stream fails, also when nothing is being written. */
  constructor(stream: Context['stdout'], onFailure: () => void) {
    this.#stream = stream;
    this.#onError = (error) => {
      this.#failure ??= error;
      onFailure();
    };
    stream.on('error', this.#onError);
  }

  /** Resolves when the stream is ready for more output. The result is false when the stream has failed. */
  async write(text: string): Promise<boolean> {
    if (this.#failure !== undefined) return false;
    if (!this.#stream.write(text)) await this.#room();
    return this.#failure === undefined;
  }

  /** Throws the error of the stream, except when the reader has closed its end. */
  end(): void {
    // The listener stays, because an unfinished write may fail later.
    if (this.#failure !== undefined && this.#failure.code !== 'EPIPE') throw this.#failure;
  }

  #room(): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      const done = (): void => {
        for (const name of ['drain', 'error', 'close']) stream.removeListener(name, done);
        resolve();
      };
      for (const name of ['drain', 'error', 'close']) stream.once(name, done);
    });
  }
}

/** Prints one text, for commands that print nothing else. */
export async function print(stream: Context['stdout'], text: string): Promise<void> {
  const output = new EventOutput(stream, () => undefined);
  await new Promise<void>((resolve) => stream.write(text, () => resolve()));
  output.end();
}
