/** Standard output. Its trouble is reported and counted, but does not end a command whose policies enforce. */
import { write } from 'node:fs';
import { promisify } from 'node:util';
import type { Context } from './context.js';

/** Shortest time between two messages about the output. */
const REPORT_MS = 10_000;
const NEWLINE = 10;
const writeTo = promisify(write);

export interface OutputHandlers {
  /** True if the command goes on without its output, because its policies enforce. */
  readonly goesOn: () => boolean;
  /** Called when the output has ended for good, also when nothing is being written. */
  readonly onEnd: () => void;
  /** Prints a message for the operator. */
  readonly report: (message: string) => void;
}

/** It takes the texts of events. */
export interface Output {
  /** Resolves when there is room for more. The result is false when the command has to end. */
  write(text: string): Promise<boolean>;
  /** Number of events that could not be written. */
  readonly lost: number;
}

/** Lines of events. The output is a stream, or the descriptor of a file, which can work again after an error. */
export class EventOutput implements Output {
  readonly #stream: Context['stdout'];
  readonly #file: number | undefined;
  readonly #handlers: OutputHandlers;
  #failure: NodeJS.ErrnoException | undefined;
  #torn = false;
  #lost = 0;
  #reportedAt = -Infinity;

  constructor({ stdout, stdoutFile }: Pick<Context, 'stdout' | 'stdoutFile'>, handlers: OutputHandlers) {
    this.#stream = stdout;
    this.#file = stdoutFile;
    this.#handlers = handlers;
    // The listener stays, because an unfinished write may fail later.
    stdout.on('error', (error) => {
      this.#failure ??= error;
      if (!handlers.goesOn()) handlers.onEnd();
    });
  }

  get lost(): number {
    return this.#lost;
  }

  async write(text: string): Promise<boolean> {
    if (this.#file !== undefined) return this.#writeFile(this.#file, text);
    if (this.#failure === undefined && !this.#stream.write(text)) await roomIn(this.#stream);
    const failure = this.#failure as NodeJS.ErrnoException | undefined;
    if (failure === undefined) return true;
    const goesOn = this.#handlers.goesOn();
    // A reader that has seen enough is not an error, unless policies have to go on without it.
    if (goesOn || failure.code !== 'EPIPE') this.#lose(linesIn(text), failure);
    return goesOn;
  }

  async #writeFile(file: number, text: string): Promise<boolean> {
    const bytes = Buffer.from(this.#torn ? `\n${text}` : text);
    let at = 0;
    try {
      while (at < bytes.length) at += (await writeTo(file, bytes, at)).bytesWritten;
      if (this.#reportedAt !== -Infinity) this.#recover();
    } catch (error) {
      this.#lose(linesIn(bytes.subarray(at).toString()), error as NodeJS.ErrnoException);
    }
    if (at > 0) this.#torn = bytes[at - 1] !== NEWLINE;
    return true;
  }

  #lose(count: number, error: NodeJS.ErrnoException): void {
    this.#lost += count;
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    this.#handlers.report(`the output failed (${error.message}): ${this.#lost} events were not written so far`);
  }

  #recover(): void {
    this.#reportedAt = -Infinity;
    this.#handlers.report(`the output works again: ${this.#lost} events were not written`);
  }
}

function linesIn(text: string): number {
  return text.split('\n').length - 1;
}

function roomIn(stream: Context['stdout']): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const name of ['drain', 'error', 'close']) stream.removeListener(name, done);
      resolve();
    };
    for (const name of ['drain', 'error', 'close']) stream.once(name, done);
  });
}

/** Prints one text, for commands that print nothing else. A closed pipe is not an error. */
export async function print(stream: Context['stdout'], text: string): Promise<void> {
  let failure: NodeJS.ErrnoException | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => (failure ??= error));
  await new Promise<void>((resolve) => stream.write(text, () => resolve()));
  if (failure !== undefined && failure.code !== 'EPIPE') throw failure;
}
