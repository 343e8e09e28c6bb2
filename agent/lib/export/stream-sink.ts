/** Standard output. A reader that does not read holds up the export, and nothing else. */
import type { Sink, Written } from './sink.js';

export class StreamSink implements Sink {
  readonly #stream: NodeJS.WritableStream;
  #error: NodeJS.ErrnoException | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    // a reader that has gone: every later write fails, too
    stream.on('error', (error: NodeJS.ErrnoException) => (this.#error = error));
  }

  write(lines: Buffer): Promise<Written> {
    if (this.#error !== undefined) return Promise.resolve({ bytes: 0, error: this.#error });
    return new Promise((resolve) => {
      this.#stream.write(lines, (error) => resolve(error ? { bytes: 0, error } : { bytes: lines.length }));
    });
  }

  reopen(): void {
    // there is nothing to open
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
