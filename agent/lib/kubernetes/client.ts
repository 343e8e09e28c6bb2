/**
 * Sends requests to the API server of Kubernetes. `kube-config.ts` reads the configuration and authenticates. It is
 * loaded on demand, because few agents run in a cluster.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';

/**
 * Limits of a response body and of a line of a stream. An object in etcd has at most 1.5 MiB, and lists are read in
 * pages.
 */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const LINE_MAX = 8 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** The requests that the agent needs. Tests implement it without a server. */
export interface Api {
  /** Resolves with the returned object. Rejects with ApiError, or with the error of the connection. */
  call<T>(method: string, path: string, options?: CallOptions): Promise<T>;
  /** Yields the parsed lines of a stream until the server ends it. */
  streamLines<T>(path: string, options: StreamOptions): AsyncGenerator<T, void>;
}

export interface StreamOptions {
  readonly query: Query;
  /** Maximum time without a line. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Called when the server has accepted the request. */
  readonly onOpen: () => void;
}

/** The server refused a request. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  /** Value of the header Retry-After, in seconds. */
  readonly retryAfter: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/** The used part of client-node's KubeConfig. */
interface Config {
  getCurrentCluster(): { readonly server: string } | null;
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

export class ApiClient implements Api {
  readonly #config: Config;
  readonly #server: URL;

  private constructor(config: Config, server: URL) {
    this.#config = config;
    this.#server = server;
  }

  /** `file`: a kubeconfig. Without it, the service account of the pod is used. */
  static async load(file?: string): Promise<ApiClient> {
    if (file === undefined && process.env['KUBERNETES_SERVICE_HOST'] === undefined) {
      throw new Error('this process runs in no pod: KUBERNETES_SERVICE_HOST is not set');
    }
    const { KubeConfig } = await import('./kube-config.js');
    const config = new KubeConfig();
    if (file === undefined) config.loadFromCluster();
    else config.loadFromFile(file);
    const server = config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error(`${file ?? 'the service account'} names no API server`);
    return new ApiClient(config, new URL(server));
  }

  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const { query = {}, body, contentType = 'application/json', signal } = options;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { 'content-type': contentType };
    const response = await this.#send({ method, path, query, headers, payload, signal });
    try {
      const text = await readBody(response);
      if (isSuccess(response)) return JSON.parse(text) as T;
      throw toApiError(response, text);
    } finally {
      response.destroy();
    }
  }

  async *streamLines<T>(path: string, { query, idleMs, signal, onOpen }: StreamOptions): AsyncGenerator<T, void> {
    const response = await this.#send({ method: 'GET', path, query, headers: {}, payload: undefined, signal });
    try {
      if (!isSuccess(response)) throw toApiError(response, await readBody(response));
      onOpen();
      response.setTimeout(idleMs, () => response.destroy(new Error(`no answer for ${idleMs} ms`)));
      for await (const line of readLines(response)) yield JSON.parse(line) as T;
    } finally {
      response.destroy();
    }
  }

  async #send(request: {
    readonly method: string;
    readonly path: string;
    readonly query: Query;
    readonly headers: Readonly<Record<string, string>>;
    readonly payload: string | undefined;
    readonly signal: AbortSignal | undefined;
  }): Promise<IncomingMessage> {
    const { method, path, query, headers, payload, signal } = request;
    const url = new URL(this.#server);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const options: RequestOptions = {
      method,
      headers: { accept: 'application/json', 'user-agent': 'polytrace-agent', ...headers },
      timeout: TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    };
    // reads a renewed token again
    await this.#config.applyToHTTPSOptions(options);
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const outgoing = send(url, options, resolve);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`the API server did not answer in ${TIMEOUT_MS} ms`)));
      outgoing.on('socket', (socket) => socket.setKeepAlive(true, 30_000));
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
  }
}

const isSuccess = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new Error(`the API server answered more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* readLines(response: IncomingMessage): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const parts = decoder.write(chunk).split('\n');
    parts[0] = rest + (parts[0] as string);
    rest = parts.pop() as string;
    if (rest.length > LINE_MAX) throw new Error(`the API server sent a line of more than ${LINE_MAX} characters`);
    for (const line of parts) if (line !== '') yield line;
  }
}

function toApiError(response: IncomingMessage, text: string): ApiError {
  const status = response.statusCode ?? 0;
  let [reason, message] = ['', text.slice(0, 500)];
  try {
    const answer = JSON.parse(text) as { readonly reason?: string; readonly message?: string };
    [reason, message] = [answer.reason ?? '', answer.message ?? message];
  } catch {
    // the answer comes from a proxy and is not JSON
  }
  const after = Number(response.headers['retry-after']);
  return new ApiError(status, reason, `${status}: ${message}`, Number.isFinite(after) ? after : undefined);
}
