/** Posts alerts over HTTP or HTTPS. No answer is kept, and no redirection is followed. */
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isLocalHost, parseUrl, type HttpReceiver } from '../config/receivers.js';
import { SettingValueError } from '../config/setting-kinds.js';
import type { Alert } from './alert.js';
import type { Channel, ChannelOutcome } from './channel.js';
import { formatPost, type PostContext } from './post-formats.js';
import { readSecret, SecretFileError, TlsReader, type TlsContents } from './secret-file.js';
import { escapeText, shortenText } from './text.js';

/** Status codes of a request that would fail again. Others come from a state or a setting of the receiver. */
const REFUSALS: ReadonlySet<number> = new Set([400, 405, 406, 411, 413, 414, 415, 422, 431, 501]);
/** Part of an answer that a message of the log has. */
const ANSWER_BYTES = 256;
const RETRY_MAX_MS = 5 * 60_000;
const HIDDEN = '*****';

export class HttpChannel implements Channel {
  readonly #receiver: HttpReceiver;
  readonly #context: PostContext;
  readonly #tls: TlsReader;
  #contents: TlsContents | undefined;
  #agent: HttpAgent | undefined;

  constructor(receiver: HttpReceiver, context: PostContext) {
    this.#receiver = receiver;
    this.#context = context;
    this.#tls = new TlsReader(receiver);
  }

  /** Rejects with a SecretFileError if a file cannot be used. */
  async checkFiles(): Promise<void> {
    await Promise.all([this.#readTarget(), this.#tls.read()]);
  }

  async #readTarget(): Promise<{ readonly url: URL; readonly token: string | undefined }> {
    const [text, token] = await Promise.all([this.#readUrl(), this.#readToken()]);
    const url = new URL(text);
    if (token !== undefined && url.protocol === 'http:' && !isLocalHost(url.hostname)) {
      throw new SecretFileError('a token would be sent in the clear: use https://');
    }
    return { url, token };
  }

  async #readUrl(): Promise<string> {
    const { url, urlFile } = this.#receiver;
    if (urlFile === undefined) return url ?? '';
    try {
      return parseUrl(await readSecret(urlFile));
    } catch (error) {
      if (!(error instanceof SettingValueError)) throw error;
      throw new SecretFileError(`the URL in ${urlFile} cannot be used: ${error.message}`);
    }
  }

  async #readToken(): Promise<string | undefined> {
    const { tokenFile } = this.#receiver;
    return tokenFile === undefined ? undefined : readSecret(tokenFile);
  }

  async send(alert: Alert, signal: AbortSignal): Promise<ChannelOutcome> {
    const [{ url, token }, tls] = await Promise.all([this.#readTarget(), this.#tls.read()]);
    const { path, body } = formatPost(alert, this.#receiver, this.#context);
    const target = addPath(url, path);
    const bytes = Buffer.from(JSON.stringify(body));
    const { status, retryAfter, text } = await this.#post(target, token, tls, bytes, signal);
    if (status >= 200 && status < 300) return { kind: 'sent' };
    const secrets = [token, target.pathname.length > 1 ? target.pathname : '', target.search, target.password];
    const reason = `the receiver answers with status ${status}${describeAnswer(text, secrets)}`;
    if (REFUSALS.has(status)) return { kind: 'refused', reason };
    return { kind: 'failed', reason, ...(retryAfter === undefined ? {} : { retryMs: retryAfter }) };
  }

  async #post(
    url: URL,
    token: string | undefined,
    tls: TlsContents,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly retryAfter: number | undefined; readonly text: string }> {
    const isTls = url.protocol === 'https:';
    const agent = this.#openAgent(isTls, tls);
    const { username, password } = url;
    const basic = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const authorization =
      token === undefined
        ? username === '' && password === ''
          ? {}
          : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }
        : { authorization: `Bearer ${token}` };
    const headers = {
      'content-type': 'application/json',
      'content-length': bytes.length,
      'user-agent': 'polytrace-agent',
      ...authorization,
    };
    const request = isTls ? requestHttps : requestHttp;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const bare = new URL(url);
      bare.username = '';
      bare.password = '';
      const post = request(bare, { method: 'POST', agent, headers, signal, maxHeaderSize: 16 * 1024 }, resolve);
      post.on('error', reject);
      post.end(bytes);
    });
    const text = await readAnswer(response);
    return { status: response.statusCode ?? 0, retryAfter: parseRetryAfter(response.headers['retry-after']), text };
  }

  /** Changed certificates need new connections. */
  #openAgent(isTls: boolean, tls: TlsContents): HttpAgent {
    if (this.#agent !== undefined && this.#contents === tls) return this.#agent;
    this.#agent?.destroy();
    this.#contents = tls;
    const options = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1, timeout: 30_000 };
    this.#agent = isTls ? new HttpsAgent({ ...options, ...tls, minVersion: 'TLSv1.2' }) : new HttpAgent(options);
    return this.#agent;
  }

  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }
}

function addPath(url: URL, path: string): URL {
  if (path !== '' && !url.pathname.endsWith(path)) url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
  return url;
}

/** Reads the beginning of an answer. The connection is used again only if the answer is short. */
async function readAnswer(response: IncomingMessage): Promise<string> {
  let text = '';
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (text.length < ANSWER_BYTES) text += chunk.toString('latin1');
    if (size > 64 * 1024) break;
  }
  return text.slice(0, ANSWER_BYTES);
}

function describeAnswer(text: string, secrets: readonly (string | undefined)[]): string {
  let shown = text;
  for (const secret of secrets) if (secret !== undefined && secret !== '') shown = shown.replaceAll(secret, HIDDEN);
  const line = shortenText(escapeText(shown.trim()), ANSWER_BYTES);
  return line === '' ? '' : `: ${line}`;
}

/** Parses seconds. A date is not worth the risk of a wrong clock. */
function parseRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Math.min(Number(header) * 1000, RETRY_MAX_MS) : undefined;
}
