/** Serves a live report: the page and its rows over HTTP, for browsers of this machine that have the token. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createReportPage } from './page.js';

const HOST = '127.0.0.1';
/** 128 bits. */
const TOKEN_BYTES = 16;
/** Maximum of bytes in the queue of one browser. Later events are counted as missed. */
const QUEUE_BYTES = 8 * 1024 * 1024;
/** Bytes of earlier rows that a new browser gets. */
const HISTORY_BYTES = 16 * 1024 * 1024;
const BROWSERS_MAX = 8;
const CONNECTIONS_MAX = 64;

interface Batch {
  /** Batches are counted from 1. */
  readonly number: number;
  readonly message: string;
  readonly events: number;
}

interface Browser {
  readonly response: ServerResponse;
  missed: number;
}

interface LiveOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Called when a browser has missed rows. The rows of processes have to be written again. */
  readonly onMissed: () => void;
}

export class LiveReport {
  readonly #server: Server;
  readonly #token = randomBytes(TOKEN_BYTES).toString('base64url');
  readonly #page = createReportPage(true);
  readonly #browsers = new Set<Browser>();
  readonly #history: Batch[] = [];
  readonly #onMissed: () => void;
  #historyBytes = 0;
  #batches = 0;
  #missed = 0;
  #port = 0;

  private constructor(onMissed: () => void) {
    this.#onMissed = onMissed;
    this.#server = createServer({ maxHeaderSize: 8192 }, (request, response) => this.#answer(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Rejects if the port cannot be used. */
  static async open({ port, onMissed }: LiveOptions): Promise<LiveReport> {
    const report = new LiveReport(onMissed);
    report.#server.listen(port, HOST);
    await once(report.#server, 'listening');
    report.#port = (report.#server.address() as AddressInfo).port;
    return report;
  }

  /** The URL contains the token. Everybody who knows it can read the events. */
  get url(): string {
    return `http://${HOST}:${this.#port}/${this.#token}/`;
  }

  /** Events that browsers did not receive in time, summed over all browsers. */
  get missed(): number {
    return this.#missed;
  }

  /** Sends rows to all browsers, without waiting for them. */
  write(rows: string): void {
    if (rows === '') return;
    this.#batches += 1;
    const lines = rows.trimEnd().split('\n');
    const data = lines.map((line) => `data: ${line}\n`).join('');
    const events = lines.filter((line) => line.startsWith('{"kind":"event"')).length;
    const batch = { number: this.#batches, message: `id: ${this.#batches}\n${data}\n`, events };
    this.#history.push(batch);
    this.#historyBytes += batch.message.length;
    while (this.#historyBytes > HISTORY_BYTES) this.#historyBytes -= this.#history.shift()?.message.length ?? 0;
    for (const browser of this.#browsers) this.#send(browser, batch);
  }

  /** Ends all connections after their queued rows are sent. */
  async close(): Promise<void> {
    for (const { response } of this.#browsers) response.end();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_MS);
    await closed;
    clearTimeout(timer);
  }

  #send(browser: Browser, { message, events }: Batch): void {
    const { response } = browser;
    if (response.writableLength > QUEUE_BYTES) {
      browser.missed += events;
      this.#missed += events;
      return;
    }
    if (browser.missed > 0) {
      response.write(`data: ${JSON.stringify({ kind: 'missed', count: browser.missed })}\n\n`);
      browser.missed = 0;
      this.#onMissed();
    }
    response.write(message);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const refuse = (status: number, reason: string): void => void response.writeHead(status).end(`${reason}\n`);
    // another name for this address, such as an attacker's, is another origin for the browser
    if (!this.#isHost(request.headers.host)) return refuse(421, 'this is not the name of this server');
    const [token = '', path] = (request.url ?? '').split('/').slice(1);
    if (!this.#isToken(token)) return refuse(403, 'the address needs the token that polytrace has printed');
    if (request.method !== 'GET') return refuse(405, 'only GET');
    if (path === '') this.#sendPage(response);
    else if (path === 'rows') this.#addBrowser(request, response, refuse);
    else refuse(404, 'there is no such page');
  }

  #isHost(host: string | undefined): boolean {
    return host === `${HOST}:${this.#port}` || host === `localhost:${this.#port}`;
  }

  /** The comparison takes constant time. */
  #isToken(text: string): boolean {
    const given = Buffer.from(text);
    const right = Buffer.from(this.#token);
    return given.length === right.length && timingSafeEqual(given, right);
  }

  #sendPage(response: ServerResponse): void {
    const { head, tail, csp } = this.#page;
    response.setHeader('Content-Security-Policy', `${csp}; frame-ancestors 'none'`);
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(head + tail);
  }

  #addBrowser(
    request: IncomingMessage,
    response: ServerResponse,
    refuse: (status: number, reason: string) => void,
  ): void {
    if (this.#browsers.size >= BROWSERS_MAX) return refuse(503, `${BROWSERS_MAX} browsers read this report already`);
    const browser: Browser = { response, missed: 0 };
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(': rows of a report\n\n');
    const last = Number(request.headers['last-event-id'] ?? 0);
    // the history can be longer than the queue
    for (const { number, message } of this.#history) if (number > last) response.write(message);
    this.#browsers.add(browser);
    response.on('close', () => this.#browsers.delete(browser));
  }
}

const CLOSE_MS = 1000;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;
