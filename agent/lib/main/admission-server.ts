/** The HTTPS server of the admission webhook. The API server asks it before it stores a policy. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { ConfigError } from '../config/problems.js';
import { AddressError } from '../grpc/address.js';
import { Certificates, type OnSettingChange } from '../grpc/certificates.js';
import { reviewPolicy } from '../kubernetes/admission-review.js';
import { LogInterval } from '../log/log-interval.js';
import type { Log } from '../log/log.js';
import { limitConnections } from '../metrics/connections.js';
import { listenOn } from '../metrics/http.js';

export interface AdmissionSettings {
  readonly address: string;
  readonly cert: string;
  readonly key: string;
}

const ADMISSION_PATH = '/validate';

/** An object has at most 1.5 MiB, and a request the object before as well. */
const BODY_MAX = 4 * 1024 * 1024;
const CONNECTIONS_MAX = { all: 32, peer: 16 };
const TIMEOUT_MS = 10_000;
const TLS_TIMES = { refreshMs: 10_000, handshakeMs: TIMEOUT_MS };

class RefusedRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class AdmissionServer {
  readonly #settings: AdmissionSettings;
  readonly #log: Log;
  readonly #server: Server;
  readonly #logInterval = new LogInterval();
  #unlogged = 0;
  readonly #onChange: OnSettingChange;
  #certificates: Certificates | undefined;

  constructor(settings: AdmissionSettings, log: Log, onChange: OnSettingChange) {
    this.#settings = settings;
    this.#log = log;
    this.#onChange = (_, ...change) => onChange('admission-tls-cert', ...change);
    const timeouts = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, handshakeTimeout: TIMEOUT_MS };
    this.#server = createServer({ ...timeouts, minVersion: 'TLSv1.2' }, (request, response) => {
      void this.#answer(request, response);
    });
    limitConnections(this.#server, CONNECTIONS_MAX);
    this.#server.setTimeout(TIMEOUT_MS);
  }

  /** Resolves with the address. Rejects with a ConfigError when the address or the certificate cannot be used. */
  async listen(): Promise<string> {
    const certificates = (this.#certificates = this.#readCertificates());
    await new Promise<void>((resolve) => {
      certificates.addIdentityCertificateListener((identity) => {
        if (identity === null) return;
        this.#server.setSecureContext({ cert: identity.certificate, key: identity.privateKey });
        resolve();
      });
    });
    const bound = await listenOn(this.#server, this.#settings.address, 'admission-server');
    this.#server.on('error', (error) => this.#log.error({ reason: error.message }, 'the admission webhook failed'));
    return bound;
  }

  #readCertificates(): Certificates {
    const { cert, key } = this.#settings;
    try {
      return new Certificates({ cert, key }, TLS_TIMES, this.#log, this.#onChange);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      throw new ConfigError([{ code: 'CONFIG_VALUE', source: 'admission-tls-cert', message: error.message }]);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const text = JSON.stringify(await review(request));
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    } catch (error) {
      const { status, message } =
        error instanceof RefusedRequest ? error : { status: 400, message: (error as Error).message };
      this.#reportFailure(message);
      response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${message}\n`);
    }
  }

  /** Whoever reaches the port decides how many there are. */
  #reportFailure(reason: string): void {
    this.#unlogged += 1;
    if (!this.#logInterval.isDue()) return;
    this.#log.warn({ reason, requests: this.#unlogged }, 'the admission webhook cannot answer requests');
    this.#unlogged = 0;
  }

  async close(): Promise<void> {
    this.#certificates?.stop();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function review(request: IncomingMessage): Promise<object> {
  const [path] = (request.url ?? '').split('?');
  if (path !== ADMISSION_PATH) throw new RefusedRequest(404, `there is ${ADMISSION_PATH}`);
  if (request.method !== 'POST') throw new RefusedRequest(405, 'only POST');
  return reviewPolicy(await readBody(request));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MAX) throw new RefusedRequest(413, `the request is larger than ${BODY_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
