/** Writes lines to standard output. A reader that does not read blocks the export and nothing else. */
import type { Sink, WriteResult } from './sink.js';

export class StreamSink implements Sink {
  readonly #stream: NodeJS.WritableStream;
  #error: NodeJS.ErrnoException | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    // after the reader has closed the pipe, every write fails
    stream.on('error', (error: NodeJS.ErrnoException) => (this.#error = error));
  }

  listen(): void {
    // what a stream has delivered is not ours any more
  }

  write(lines: Buffer): Promise<WriteResult> {
    if (this.#error !== undefined) return Promise.resolve({ bytes: 0, error: this.#error });
    return new Promise((resolve) => {
      this.#stream.write(lines, (error) => resolve(error ? { bytes: 0, error } : { bytes: lines.length }));
    });
  }

  reopen(): void {
    // a stream cannot be opened again
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
