/** Notifies systemd that the agent is ready, and that its event loop runs. */
import { notifyService } from 'polytrace';

/** Delay and number of tries when the manager does not accept a message. */
const RETRY_MS = 100;
const RETRIES_MAX = 100;

export class ServiceManager {
  readonly #notify: (state: string) => boolean;
  readonly #isService: boolean;
  #watchdog: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(env: NodeJS.ProcessEnv, notify = notifyService) {
    this.#notify = notify;
    this.#isService = env['NOTIFY_SOCKET'] !== undefined;
    const microseconds = Number(env['WATCHDOG_USEC']);
    const isOurs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
    if (!this.#isService || !isOurs || !(microseconds > 0)) return;
    // the manager kills a service that sends nothing within the whole time
    this.#watchdog = setInterval(() => notify('WATCHDOG=1'), microseconds / 1000 / 3);
    this.#watchdog.unref();
  }

  notifyReady(status: string): void {
    this.#send(`READY=1\nSTATUS=${toOneLine(status)}`);
  }

  /** The watchdog runs until the end, so that an agent that hangs while it stops is killed too. */
  notifyStopping(): void {
    this.#send('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#watchdog);
    clearTimeout(this.#retry);
  }

  /** Sends nothing without a manager. A newer message replaces one that was not sent. */
  #send(state: string, tries = RETRIES_MAX): void {
    clearTimeout(this.#retry);
    if (!this.#isService || this.#notify(state) || tries === 0) return;
    this.#retry = setTimeout(() => this.#send(state, tries - 1), RETRY_MS);
    this.#retry.unref();
  }
}

function toOneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}
