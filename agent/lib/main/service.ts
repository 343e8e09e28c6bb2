/** The agent as a service of systemd: it says when it is ready, and shows that its event loop runs. */
import { notifyService } from 'polytrace';

/** A manager that does not take a message now is asked again. */
const AGAIN_MS = 100;
const AGAIN_MAX = 100;

export class ServiceManager {
  readonly #notify: (state: string) => boolean;
  readonly #isService: boolean;
  #watchdog: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(env: NodeJS.ProcessEnv, notify = notifyService) {
    this.#notify = notify;
    this.#isService = env['NOTIFY_SOCKET'] !== undefined;
    const microseconds = Number(env['WATCHDOG_USEC']);
    const isOurs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
    if (!this.#isService || !isOurs || !(microseconds > 0)) return;
    // the manager kills a service that says nothing for the whole time
    this.#watchdog = setInterval(() => notify('WATCHDOG=1'), microseconds / 1000 / 3);
    this.#watchdog.unref();
  }

  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${oneLine(status)}`);
  }

  /** The watchdog goes on until the end: an agent that hangs while it ends is killed, too. */
  stopping(): void {
    this.#tell('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#watchdog);
    clearTimeout(this.#again);
  }

  /** Without a manager, there is nothing to send. A newer message takes the place of one that was not sent. */
  #tell(state: string, tries = AGAIN_MAX): void {
    clearTimeout(this.#again);
    if (!this.#isService || this.#notify(state) || tries === 0) return;
    this.#again = setTimeout(() => this.#tell(state, tries - 1), AGAIN_MS);
    this.#again.unref();
  }
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}
