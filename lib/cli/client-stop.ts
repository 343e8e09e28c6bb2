/** Ends a command that receives events from an agent or from recorded events. */
import type { Context } from './context.js';
import { StopSignals } from './stop-signals.js';

/** Stops a client at a signal, or at the end of `--duration`. A second request exits immediately. */
export class ClientStop {
  readonly #controller = new AbortController();
  readonly #signals: StopSignals;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(context: Context, seconds: number | undefined) {
    if (seconds !== undefined) this.#timer = setTimeout(() => this.request(), seconds * 1000);
    this.#signals = new StopSignals(context, () => this.request());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  request(): void {
    this.#controller.abort();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#signals.end();
  }
}
