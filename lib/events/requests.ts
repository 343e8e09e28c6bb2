/**
 * GetUrl and DnsLookup: asked for when an event is read, to addresses that the policy names, and forgotten once there is an answer.
 * What is under way is bounded in number, time and redirects, ends with the tracer, and keeps no process from exiting.
 */
import { Resolver } from 'node:dns/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { RequestOutcome } from '../../types/events.js';
import type { RequestCounts } from '../../types/tracer.js';

export interface Request {
  readonly action: 'getUrl' | 'dnsLookup';
  /** The address, or the name. */
  readonly target: string;
}

const AT_ONCE = 16;
const WAITING_MAX = 256;
/** Of one request, its redirects included. */
const TIMEOUT_MS = 10_000;
const REDIRECTS_MAX = 3;
const NO_MORE = new Error('the tracer is closed');

/** Of a tracer. */
export class Requests {
  readonly #closing = new AbortController();
  readonly #resolver = new Resolver({ timeout: TIMEOUT_MS / 2, tries: 2 });
  readonly #waiting: (() => Promise<void>)[] = [];
  #underWay = 0;

  constructor(nameServers: readonly string[] | undefined) {
    if (nameServers !== undefined) this.#resolver.setServers(nameServers);
  }

  /** False when there are too many. `done` is told whether there was an answer. */
  start({ action, target }: Request, done: (answered: boolean) => void): boolean {
    if (this.#closing.signal.aborted || this.#waiting.length >= WAITING_MAX) return false;
    const ask = action === 'getUrl' ? () => this.#getUrl(target) : () => this.#lookUp(target);
    this.#waiting.push(() => ask().then(() => done(true), () => done(false))); // prettier-ignore
    this.#next();
    return true;
  }

  /** What has not been answered is not waited for. */
  close(): void {
    this.#closing.abort(NO_MORE);
    this.#resolver.cancel();
  }

  #next(): void {
    const run = this.#underWay < AT_ONCE ? this.#waiting.shift() : undefined;
    if (run === undefined) return;
    this.#underWay++;
    void run().finally(() => {
      this.#underWay--;
      this.#next();
    });
  }

  async #lookUp(name: string): Promise<void> {
    if (this.#closing.signal.aborted) throw NO_MORE;
    await Promise.any([this.#resolver.resolve4(name), this.#resolver.resolve6(name)]);
  }

  async #getUrl(address: string): Promise<void> {
    const late = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    let url: URL | undefined = new URL(address);
    for (let i = 0; url !== undefined && i <= REDIRECTS_MAX; i++) url = await headersOf(url, late);
  }
}

/** Waits for the headers of the answer, not for what follows; resolves with where they redirect to. */
function headersOf(url: URL, signal: AbortSignal): Promise<URL | undefined> {
  return new Promise((resolve, reject) => {
    if (!isRequestable(url)) return reject(new Error(`${url.protocol} is not asked`));
    const { get } = url.protocol === 'https:' ? https : http;
    const request = get(url, { agent: false, signal }, (response) => {
      const { statusCode = 0, headers } = response;
      response.destroy();
      const next = statusCode >= 300 && statusCode < 400 ? headers.location : undefined;
      resolve(next !== undefined && URL.canParse(next, url.href) ? new URL(next, url) : undefined);
    });
    request.on('error', reject);
    request.on('socket', (socket) => socket.unref());
  });
}

function isRequestable({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

/** Of a policy, as long as it is attached. */
export class PolicyRequests {
  readonly #requests: Requests | undefined;
  readonly #counts = { started: 0, answered: 0, failed: 0, dropped: 0 };
  /** In monitor mode none is made. */
  monitors: boolean;

  constructor(requests: Requests | undefined, monitors: boolean) {
    this.#requests = requests;
    this.monitors = monitors;
  }

  get counts(): RequestCounts {
    return { ...this.#counts };
  }

  start(request: Request): RequestOutcome {
    if (this.monitors || this.#requests === undefined) return 'monitored';
    const started = this.#requests.start(request, (answered) => this.#counts[answered ? 'answered' : 'failed']++);
    this.#counts[started ? 'started' : 'dropped']++;
    return started ? 'started' : 'dropped';
  }
}
