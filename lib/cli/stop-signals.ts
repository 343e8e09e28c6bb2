/** The signals that stop a command. Programs such as timeout and npm send one to the command and to its group. */
import { INTERRUPTED, STOP_SIGNALS, type Context } from './context.js';
import { printMessage } from './output.js';

/** Signals that come sooner after the first one are the same request. */
const SAME_REQUEST_MS = 500;

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
    printMessage(
      this.#context,
      'polytrace: ended by a second signal: events that were still to be printed are missing',
    );
    this.#context.exit(INTERRUPTED[name] ?? INTERRUPTED.SIGINT);
  };

  end(): void {
    for (const name of this.#names) this.#context.signals.off(name, this.#onSignal);
  }
}
