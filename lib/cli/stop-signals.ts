/** The signals that stop a command. Programs such as timeout and npm send one to the command and to its group. */
import type { Writable } from 'node:stream';
import { INTERRUPTED, STOP_SIGNALS, type Context } from './context.js';
import { printMessage } from './output.js';

/** Signals that come sooner after the first one are the same request. */
const SAME_REQUEST_MS = 500;

function exitAtOnce(context: Context, name: keyof typeof INTERRUPTED): void {
  const message = 'polytrace: ended by a second signal: events that were still to be printed are missing';
  printMessage(context, message);
  context.exit(INTERRUPTED[name] ?? INTERRUPTED.SIGINT);
}

/**
 * A command has ended, and its output may still be on the way to a slow reader. The signal that ended it can come a second
 * time meanwhile, and changes nothing. A later one exits.
 */
export function exitAtLaterSignals(context: Context, status: number): void {
  const ended = performance.now();
  for (const name of STOP_SIGNALS) {
    context.signals.on(name, () => {
      if (performance.now() - ended < SAME_REQUEST_MS) return;
      if ((context.stdout as Partial<Writable>).writableLength === 0) context.exit(status);
      else exitAtOnce(context, name);
    });
  }
}

export class StopSignals {
  readonly #context: Context;
  readonly #names: readonly (keyof typeof INTERRUPTED)[];
  readonly #onStop: () => void;
  #firstAt: number | undefined;

  /** `onStop` is called at the first signal. A later request exits immediately. */
  constructor(context: Context, onStop: () => void, names: readonly (keyof typeof INTERRUPTED)[] = STOP_SIGNALS) {
    this.#context = context;
    this.#names = names;
    this.#onStop = onStop;
    for (const name of names) context.signals.on(name, this.#onSignal);
  }

  readonly #onSignal = (name: keyof typeof INTERRUPTED): void => {
    if (this.#firstAt === undefined) {
      this.#firstAt = performance.now();
      this.#onStop();
      return;
    }
    if (performance.now() - this.#firstAt < SAME_REQUEST_MS) return;
    exitAtOnce(this.#context, name);
  };

  end(): void {
    for (const name of this.#names) this.#context.signals.off(name, this.#onSignal);
  }
}
