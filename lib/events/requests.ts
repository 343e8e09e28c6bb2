/**
 * Sends the requests of GetUrl and DnsLookup when an event is read. Policies name the addresses, and responses are
 * discarded. The number of running requests, their time and their redirects are limited. Requests end with the tracer,
 * and do not keep the process alive.
 */
import { Resolver } from 'node:dns/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { PerformedAction, RequestOutcome } from '../../types/events.js';
import type { RequestCounts } from '../../types/tracer.js';

/** The actions that send a request. */
export type RequestAction = Extract<PerformedAction, { readonly outcome: RequestOutcome }>['action'];

export interface Request {
  readonly action: RequestAction;
  /** The URL of GetUrl, or the name of DnsLookup. */
  readonly target: string;
}

const RUNNING_MAX = 16;
const WAITING_MAX = 256;
/** Time limit of one request, including its redirects. */
const REQUEST_TIMEOUT_MS = 10_000;
const REDIRECTS_MAX = 3;
const CLOSED = new Error('the tracer is closed');

/** The requests of a tracer. */
export class Requests {
  readonly #closing = new AbortController();
  readonly #resolver = new Resolver({ timeout: REQUEST_TIMEOUT_MS / 2, tries: 2 });
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;

  constructor(nameServers: readonly string[] | undefined) {
    if (nameServers !== undefined) this.#resolver.setServers(nameServers);
  }

  /** Starts a request. Returns false if too many are waiting. Calls `done` with true if there was a response. */
  start({ action, target }: Request, done: (answered: boolean) => void): boolean {
    if (this.#closing.signal.aborted || this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push(() => this.#ask(action, target).then(() => done(true), () => done(false))); // prettier-ignore
    this.#startNext();
    return true;
  }

  #ask(action: RequestAction, target: string): Promise<void> {
    switch (action) {
      case 'getUrl':
        return this.#getUrl(target);
      case 'dnsLookup':
        return this.#lookUp(target);
    }
  }

  /** Ends all requests without waiting for responses. */
  close(): void {
    this.#closing.abort(CLOSED);
    this.#resolver.cancel();
  }

  #startNext(): void {
    const run = this.#running < RUNNING_MAX ? this.#waiting.shift() : undefined;
    if (run === undefined) return;
    this.#running++;
    void run().finally(() => {
      this.#running--;
      this.#startNext();
    });
  }

  async #lookUp(name: string): Promise<void> {
    if (this.#closing.signal.aborted) throw CLOSED;
    await Promise.any([this.#resolver.resolve4(name), this.#resolver.resolve6(name)]);
  }

  async #getUrl(address: string): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    let url: URL | undefined = new URL(address);
    for (let i = 0; url !== undefined && i <= REDIRECTS_MAX; i++) url = await fetchRedirect(url, signal);
  }
}

/** Waits for the headers of the response, but not for its body. Resolves to the target of a redirect. */
function fetchRedirect(url: URL, signal: AbortSignal): Promise<URL | undefined> {
  return new Promise((resolve, reject) => {
    if (!isRequestable(url)) return reject(new Error(`the protocol ${url.protocol} is not supported`));
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

/** Starts a request of a policy. It is not a method, because every program that has an event could call a method. */
export let startRequest: (policy: PolicyRequests, request: Request) => RequestOutcome;

/** The requests of a policy while it is attached. */
export class PolicyRequests {
  readonly #requests: Requests | undefined;
  #counts: Readonly<Record<keyof RequestCounts, number>> = { started: 0, answered: 0, failed: 0, dropped: 0 };
  /** True in monitor mode, where no request is made. */
  monitors: boolean;

  constructor(requests: Requests | undefined, monitors: boolean) {
    this.#requests = requests;
    this.monitors = monitors;
  }

  /** The same object as long as nothing has changed. */
  get counts(): RequestCounts {
    return this.#counts;
  }

  #count(key: keyof RequestCounts): void {
    const counts = { ...this.#counts };
    counts[key]++;
    this.#counts = counts;
  }

  static {
    startRequest = (policy, request) => {
      if (policy.monitors || policy.#requests === undefined) return 'monitored';
      const started = policy.#requests.start(request, (answered) => policy.#count(answered ? 'answered' : 'failed'));
      policy.#count(started ? 'started' : 'dropped');
      return started ? 'started' : 'dropped';
    };
  }
}
