/** Standard output. An error is reported and counted, but does not end a command whose policies enforce. */
import { write } from 'node:fs';
import { promisify } from 'node:util';
import { OutputError, type Context } from './context.js';
import { toOneLine } from '../output/terminal-text.js';

/** Shortest time between two messages about the output. */
const REPORT_MS = 10_000;
const NEWLINE = 10;
const writeBytes = promisify(write);

export interface OutputHandlers {
  /** True if the command continues without its output, because its policies enforce. */
  readonly shouldContinue: () => boolean;
  /** Called when the output has failed permanently. No write needs to be pending. */
  readonly onEnd: () => void;
  /** Prints a message for the operator. */
  readonly report: (message: string) => void;
}

/** The destination of formatted events. */
export interface Output {
  /**
   * Resolves when the output accepts more, and bytes may be overwritten. The result is false when the command has to end.
   */
  write(text: string | Uint8Array): Promise<boolean>;
  /** Number of events that could not be written. */
  readonly lostEvents: number;
}

/** Writes events to a stream or to the descriptor of a file. Only a file can recover after an error. */
export class EventOutput implements Output {
  readonly #stream: Context['stdout'];
  readonly #file: number | undefined;
  readonly #handlers: OutputHandlers;
  #failure: NodeJS.ErrnoException | undefined;
  #isLinePartial = false;
  #lost = 0;
  #reportedAt = -Infinity;

  constructor({ stdout, stdoutFile }: Pick<Context, 'stdout' | 'stdoutFile'>, handlers: OutputHandlers) {
    this.#stream = stdout;
    this.#file = stdoutFile;
    this.#handlers = handlers;
    // The listener stays, because an unfinished write may fail later.
    stdout.on('error', (error) => {
      this.#failure ??= error;
      if (!handlers.shouldContinue()) handlers.onEnd();
    });
  }

  get lostEvents(): number {
    return this.#lost;
  }

  async write(text: string | Uint8Array): Promise<boolean> {
    if (this.#file !== undefined) return this.#writeFile(this.#file, text);
    if (this.#failure === undefined && !this.#writeStream(text)) await waitForDrain(this.#stream);
    const failure = this.#failure;
    if (failure === undefined) return true;
    const shouldContinue = this.#handlers.shouldContinue();
    // A reader that closes the pipe is not an error, unless policies have to continue without it.
    if (shouldContinue || failure.code !== 'EPIPE') this.#countLost(countLines(text), failure);
    return shouldContinue;
  }

  /** A stream keeps what it has not written yet. */
  #writeStream(text: string | Uint8Array): boolean {
    return this.#stream.write(typeof text === 'string' ? text : Buffer.from(text));
  }

  async #writeFile(file: number, text: string | Uint8Array): Promise<boolean> {
    const lines = typeof text === 'string' ? Buffer.from(text) : text;
    const bytes = this.#isLinePartial ? Buffer.concat([Buffer.of(NEWLINE), lines]) : lines;
    let written = 0;
    try {
      while (written < bytes.length) written += (await writeBytes(file, bytes, written)).bytesWritten;
      if (this.#reportedAt !== -Infinity) this.#reportRecovery();
    } catch (error) {
      this.#countLost(countLines(bytes.subarray(written)), error as NodeJS.ErrnoException);
    }
    if (written > 0) this.#isLinePartial = bytes[written - 1] !== NEWLINE;
    return true;
  }

  #countLost(count: number, error: NodeJS.ErrnoException): void {
    this.#lost += count;
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    this.#handlers.report(`the output failed (${error.message}): ${this.#lost} events were not written so far`);
  }

  #reportRecovery(): void {
    this.#reportedAt = -Infinity;
    this.#handlers.report(`the output works again: ${this.#lost} events were not written`);
  }
}

function countLines(text: string | Uint8Array): number {
  if (typeof text === 'string') return text.split('\n').length - 1;
  let count = 0;
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

function waitForDrain(stream: Context['stdout']): Promise<void> {
  return new Promise((resolve) => {
    const onReady = (): void => {
      for (const name of ['drain', 'error', 'close']) stream.removeListener(name, onReady);
      resolve();
    };
    for (const name of ['drain', 'error', 'close']) stream.once(name, onReady);
  });
}

/** Prints text to standard output. Rejects with an OutputError. */
export async function print(stream: Context['stdout'], text: string): Promise<void> {
  const failure = await new Promise<Error | null | undefined>((resolve) => stream.write(text, resolve));
  if (failure instanceof Error) throw new OutputError(failure);
}

/** Prints one line to standard error. */
export function printMessage({ stderr }: Pick<Context, 'stderr'>, message: string): void {
  stderr.write(`${toOneLine(message)}\n`);
}
