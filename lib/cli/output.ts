/** Standard output: waits when the reader is slow, ends quietly when the reader is gone. */
import type { Context } from './context.js';

export class EventOutput {
  readonly #stream: Context['stdout'];
  readonly #onError: (error: Error) => void;
  #failure: NodeJS.ErrnoException | undefined;

  /** `onFailure` is told once, also when nothing is being written. */
  constructor(stream: Context['stdout'], onFailure: () => void) {
    this.#stream = stream;
    this.#onError = (error) => {
      this.#failure ??= error;
      onFailure();
    };
    stream.on('error', this.#onError);
  }

  /** Resolves when more may be written; false when nothing can be any more. */
  async write(text: string): Promise<boolean> {
    if (this.#failure !== undefined) return false;
    if (!this.#stream.write(text)) await this.#room();
    return this.#failure === undefined;
  }

  /** Throws what went wrong, unless it is only that the reader has closed its end. */
  end(): void {
    // The listener stays: a write that is still under way may fail later.
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

/** A text at once, for commands that print nothing else. */
export async function print(stream: Context['stdout'], text: string): Promise<void> {
  const output = new EventOutput(stream, () => undefined);
  await new Promise<void>((resolve) => stream.write(text, () => resolve()));
  output.end();
}
