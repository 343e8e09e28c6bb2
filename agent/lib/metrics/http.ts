/** The HTTP server of the agent for /metrics and /healthz. It answers GET and HEAD, and ignores bodies. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config/problems.js';
import { parseListenAddress } from '../config/setting-kinds.js';
import type { Log } from '../log/log.js';

/** The answer of /metrics. */
interface MetricsText {
  readonly contentType: string;
  read(): Promise<string>;
}

/** The answer of /healthz. */
type Health = () => { readonly isHealthy: boolean; readonly details: object };

const CONNECTIONS_MAX = 64;
const TIMEOUT_MS = 10_000;

export class HttpServer {
  readonly #metrics: MetricsText;
  readonly #health: Health;
  readonly #log: Log;
  readonly #server: Server;

  constructor(metrics: MetricsText, health: Health, log: Log) {
    this.#metrics = metrics;
    this.#health = health;
    this.#log = log;
    const options = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS };
    this.#server = createServer(options, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.setTimeout(TIMEOUT_MS);
  }

  /** Resolves with the address. Rejects when the address cannot be used. */
  async listen(address: string): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', ({ message }) => {
        reject(
          new ConfigError([{ code: 'CONFIG_VALUE', source: 'metrics-server', message: `${address}: ${message}` }]),
        );
      });
      this.#server.listen(parseListenAddress(address), resolve);
    });
    this.#server.on('error', (error) => this.#log.error({ reason: error.message }, 'the HTTP server failed'));
    const { address: host, port, family } = this.#server.address() as AddressInfo;
    return family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`;
  }

  async #answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const sendResponse = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
      response.end(method === 'HEAD' ? undefined : text);
    };
    try {
      const [path] = url.split('?');
      if (method !== 'GET' && method !== 'HEAD') return sendResponse(405, 'text/plain', 'only GET and HEAD\n');
      if (path === '/metrics') return sendResponse(200, this.#metrics.contentType, await this.#metrics.read());
      if (path !== '/healthz') return sendResponse(404, 'text/plain', 'there is /metrics and /healthz\n');
      const { isHealthy, details } = this.#health();
      sendResponse(isHealthy ? 200 : 503, 'application/json', `${JSON.stringify(details)}\n`);
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'a request over HTTP failed');
      sendResponse(500, 'text/plain', 'the request failed\n');
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
