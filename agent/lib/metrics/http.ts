/** The HTTP servers of the agent, for /metrics and /healthz. They answer GET and HEAD, and ignore bodies. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { ConfigError } from '../config/problems.js';
import { parseListenAddress } from '../config/setting-kinds.js';
import type { Log } from '../log/log.js';
import { limitConnections } from './connections.js';

/** The answer of a page. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** The parts of a long text are sent as they are, without a copy. */
  readonly text: string | readonly Buffer[];
}

/** The pages of a server, by their paths. */
export type Pages = Readonly<Record<string, () => Answer | Promise<Answer>>>;

const CONNECTIONS_MAX = { all: 64, peer: 16 };
const TIMEOUT_MS = 10_000;

export class HttpServer {
  readonly #setting: string;
  readonly #pages: Pages;
  readonly #log: Log;
  readonly #server: Server;

  /** `setting`: the setting with the address, for errors. */
  constructor(setting: string, pages: Pages, log: Log) {
    this.#setting = setting;
    this.#pages = pages;
    this.#log = log;
    const options = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS };
    this.#server = createServer(options, (request, response) => void this.#answer(request, response));
    limitConnections(this.#server, CONNECTIONS_MAX);
    this.#server.setTimeout(TIMEOUT_MS);
  }

  /** Resolves with the address. Rejects when the address cannot be used. */
  async listen(address: string): Promise<string> {
    const bound = await listenOn(this.#server, address, this.#setting);
    this.#server.on('error', (error) => this.#log.error({ reason: error.message }, 'the HTTP server failed'));
    return bound;
  }

  async #answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, contentType, text } = await this.#findAnswer(method, url);
    const parts = typeof text === 'string' ? [Buffer.from(text)] : text;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    response.writeHead(status, { 'content-type': contentType, 'content-length': length });
    if (method !== 'HEAD') for (const part of parts) response.write(part);
    response.end();
  }

  async #findAnswer(method: string | undefined, url: string): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return plainAnswer(405, 'only GET and HEAD');
    const [path = ''] = url.split('?');
    const page = Object.hasOwn(this.#pages, path) ? this.#pages[path] : undefined;
    if (page === undefined) return plainAnswer(404, `there is ${Object.keys(this.#pages).join(' and ')}`);
    try {
      return await page();
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'a request over HTTP failed');
      return plainAnswer(500, 'the request failed');
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Resolves with HOST:PORT. Rejects with a ConfigError that names the setting when the address cannot be used. */
export async function listenOn(server: NetServer, address: string, setting: string): Promise<string> {
  try {
    await once(server.listen(parseListenAddress(address)), 'listening');
  } catch (error) {
    const message = `${address}: ${(error as Error).message}`;
    throw new ConfigError([{ code: 'CONFIG_VALUE', source: setting, message }]);
  }
  const { address: host, port, family } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`;
}

function plainAnswer(status: number, text: string): Answer {
  return { status, contentType: 'text/plain', text: `${text}\n` };
}
