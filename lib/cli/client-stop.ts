/** Ends a command that receives events from an agent or from recorded events. */
import { INTERRUPTED, STOP_SIGNALS, type Context } from './context.js';

/** Stops a client at a signal, or at the end of `--duration`. A second signal exits immediately. */
export class ClientStop {
  readonly #controller = new AbortController();
  readonly #context: Context;
  readonly #timer: NodeJS.Timeout | undefined;
  #signals = 0;

  constructor(context: Context, seconds: number | undefined) {
    this.#context = context;
    if (seconds !== undefined) this.#timer = setTimeout(() => this.request(), seconds * 1000);
    for (const name of STOP_SIGNALS) context.signals.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #onSignal = (name: keyof typeof INTERRUPTED): void => {
    this.#signals += 1;
    if (this.#signals > 1) this.#context.exit(INTERRUPTED[name] ?? INTERRUPTED.SIGINT);
    this.request();
  };

  request(): void {
    this.#controller.abort();
  }

  end(): void {
    clearTimeout(this.#timer);
    for (const name of STOP_SIGNALS) this.#context.signals.off(name, this.#onSignal);
  }
}
