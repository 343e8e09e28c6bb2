/**
 * Requests to the API server of Kubernetes. The package @kubernetes/client-node reads the configuration and authenticates. It is loaded
 * here only, because it takes two seconds and 60 MiB.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';

/** Longest answer, and longest line of a stream: an object in etcd has at most 1.5 MiB, and a list is read in pages. */
const ANSWER_MAX = 64 * 1024 * 1024;
const LINE_MAX = 8 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** The part of the API server that the agent uses. Tests have their own. */
export interface Api {
  /** Resolves with the object that the server answers. Rejects with ApiError, or the error of the connection. */
  call<T>(method: string, path: string, options?: CallOptions): Promise<T>;
  /** Lines of JSON, until the server ends the stream. */
  lines<T>(path: string, options: StreamOptions): AsyncGenerator<T, void>;
}

export interface StreamOptions {
  readonly query: Query;
  /** Longest time without a line. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Called when the server has accepted the request. */
  readonly opened: () => void;
}

/** The server refused a request. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  /** Seconds after which the server wants to be asked again. */
  readonly retryAfter: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/** What client-node's KubeConfig offers. */
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

  /** `file`: a kubeconfig. Without it, the service account of the pod. */
  static async load(file?: string): Promise<ApiClient> {
    const { KubeConfig } = await import('@kubernetes/client-node');
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
      const text = await wholeText(response);
      if (isGood(response)) return JSON.parse(text) as T;
      throw refusal(response, text);
    } finally {
      response.destroy();
    }
  }

  async *lines<T>(path: string, { query, idleMs, signal, opened }: StreamOptions): AsyncGenerator<T, void> {
    const response = await this.#send({ method: 'GET', path, query, headers: {}, payload: undefined, signal });
    try {
      if (!isGood(response)) throw refusal(response, await wholeText(response));
      opened();
      response.setTimeout(idleMs, () => response.destroy(new Error(`no answer for ${idleMs} ms`)));
      for await (const line of linesOf(response)) yield JSON.parse(line) as T;
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
    // reads the token again when it was renewed
    await this.#config.applyToHTTPSOptions(options);
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const sent = send(url, options, resolve);
      sent.on('timeout', () => sent.destroy(new Error(`the API server did not answer in ${TIMEOUT_MS} ms`)));
      sent.on('socket', (socket) => socket.setKeepAlive(true, 30_000));
      sent.on('error', reject);
      sent.end(payload);
    });
  }
}

const isGood = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

async function wholeText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_MAX) throw new Error(`the API server answered more than ${ANSWER_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void> {
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

function refusal(response: IncomingMessage, text: string): ApiError {
  const status = response.statusCode ?? 0;
  let [reason, message] = ['', text.slice(0, 500)];
  try {
    const answer = JSON.parse(text) as { readonly reason?: string; readonly message?: string };
    [reason, message] = [answer.reason ?? '', answer.message ?? message];
  } catch {
    // not an answer of an API server: a proxy's
  }
  const after = Number(response.headers['retry-after']);
  return new ApiError(status, reason, `${status}: ${message}`, Number.isFinite(after) ? after : undefined);
}
