/**
 * A connection to the NATS servers of a fleet. It connects in the background, and again for ever, so that an agent
 * starts and works without a server. Credentials and certificates are read for each connection.
 */
import { isIP } from 'node:net';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import type { PolytraceError } from 'polytrace';
import { fileAuthenticator, readCredentials } from './credentials.js';
import { makeError, toFleetError } from './errors.js';

export interface FleetSettings {
  /** `tls://HOST:PORT`, or `nats://HOST:PORT` without TLS: the servers of one cluster, at least one. */
  readonly servers: readonly string[];
  /** File with a JWT and its seed, or with the seed of an NKey. */
  readonly credentials?: string | undefined;
  /** Files with PEM texts: the authorities of the servers, and the certificate and key of this client. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name of this client on the pages of the server. */
  readonly name: string;
  /** Prefix of the subjects of answers. Default: `_INBOX`. */
  readonly inboxPrefix?: string | undefined;
}

export type FleetState = 'connecting' | 'connected' | 'closed';

/** Called after each change of the state, and for errors while it stays the same. */
export type OnFleetState = (state: FleetState, error: PolytraceError | undefined) => void;

const DEFAULT_PORT = 4222;
const RETRY_MS = 250;
const RETRY_MAX_MS = 10_000;
const TIMEOUT_MS = 5000;
/** A server that does not answer two of these is given up. */
const PING_MS = 10_000;

/** Throws a PolytraceError, BAD_OPTION or FLEET_CREDENTIALS, for settings that can never work. */
function checkFleetSettings(settings: FleetSettings): void {
  const { servers, credentials, cert, key } = settings;
  if (servers.length === 0) throw badOption('a fleet needs the address of a server', 'give tls://HOST:PORT');
  const schemes = new Set(servers.map((server) => parseServer(server).isTls));
  if (schemes.size > 1) throw badOption('some servers have tls:// and others nats://', 'use tls:// for all of them');
  if ((cert === undefined) !== (key === undefined)) {
    throw badOption('a certificate needs its key, and a key its certificate', 'give both');
  }
  if (credentials !== undefined) readCredentials(credentials);
}

/** Returns true if events would travel to another machine without encryption. */
export function isUnencrypted({ servers }: FleetSettings): boolean {
  return servers.some((server) => {
    const { isTls, host } = parseServer(server);
    return !isTls && !/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host);
  });
}

interface ServerAddress {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
}

function parseServer(server: string): ServerAddress {
  const [, scheme, host = '', port = String(DEFAULT_PORT)] =
    /^(tls|nats):\/\/(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/i.exec(server) ?? [];
  if (scheme === undefined || Number(port) === 0 || Number(port) > 65_535) {
    const shown = server.replace(/\/\/.*@/, '//*****@');
    throw badOption(`'${shown}' is not the address of a NATS server`, 'write tls://HOST:PORT or nats://HOST:PORT');
  }
  return { isTls: scheme.toLowerCase() === 'tls', host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function badOption(message: string, hint: string): PolytraceError {
  return makeError('BAD_OPTION', message, hint);
}

export class FleetConnection {
  readonly #settings: FleetSettings;
  readonly #listeners = new Set<OnFleetState>();
  #state: FleetState = 'connecting';
  #error: PolytraceError | undefined;
  #connection: NatsConnection | undefined;
  /** Wakes those who wait for a change. */
  #changed = new Set<() => void>();
  /** The problem of the files that the last attempt has found. */
  #fileProblem: PolytraceError | undefined;
  #stopWaiting: (() => void) | undefined;
  readonly #running: Promise<void>;

  private constructor(settings: FleetSettings) {
    this.#settings = settings;
    this.#running = this.#run();
  }

  /** Returns at once. Throws a PolytraceError if the settings can never work. */
  static open(settings: FleetSettings): FleetConnection {
    checkFleetSettings(settings);
    return new FleetConnection(settings);
  }

  get state(): FleetState {
    return this.#state;
  }

  /** The reason why there is no connection, or the last error that a server has reported. */
  get error(): PolytraceError | undefined {
    return this.#error;
  }

  /** The connection while a server answers. */
  get current(): NatsConnection | undefined {
    return this.#state === 'connected' ? this.#connection : undefined;
  }

  /** Returns a function that stops the calls. */
  listen(listener: OnFleetState): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves with the connection when a server answers. The same one is used after a failover; it is another one after
   * the servers have closed it. Rejects with a PolytraceError: FLEET_UNAVAILABLE and others after `waitMs`, with the
   * last reason, or CLOSED.
   */
  async connected(waitMs = Infinity): Promise<NatsConnection> {
    const end = performance.now() + waitMs;
    for (;;) {
      const { current } = this;
      if (current !== undefined) return current;
      if (this.#state === 'closed')
        throw makeError('CLOSED', 'the connection to the fleet is closed', 'open another one');
      const left = end - performance.now();
      if (left <= 0) throw this.#error ?? toFleetError(new Error('no server has answered'), this.#settings.servers);
      await this.#waitForChange(left);
    }
  }

  #waitForChange(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#changed.delete(done);
        resolve();
      };
      const timer = ms === Infinity ? undefined : setTimeout(done, ms);
      this.#changed.add(done);
    });
  }

  #set(state: FleetState, error: PolytraceError | undefined): void {
    this.#state = state;
    this.#error = error;
    for (const wake of [...this.#changed]) wake();
    for (const listener of this.#listeners) listener(state, error);
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS;
    while (!this.#isClosed) {
      try {
        const connection = await connect(this.#options());
        this.#connection = connection;
        if (this.#isClosed) return await connection.close();
        retryMs = RETRY_MS;
        this.#set('connected', undefined);
        void this.#watch(connection);
        const reason = await connection.closed();
        if (this.#isClosed) return;
        this.#set('connecting', this.#describe(reason ?? new Error('the server has closed the connection')));
      } catch (error) {
        if (this.#isClosed) return;
        this.#set('connecting', this.#describe(error));
      }
      await this.#pause(retryMs * (0.5 + Math.random()));
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #describe(error: unknown): PolytraceError {
    return this.#fileProblem ?? toFleetError(error, this.#settings.servers);
  }

  /** Follows the state of a connection, which connects again by itself. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (this.#isClosed) return;
      if (status.type === 'reconnect') this.#set('connected', undefined);
      else if (status.type === 'disconnect') this.#set('connecting', this.#describe(new Error('the connection ended')));
      else if (status.type === 'error') this.#set(this.#state, this.#describe(status.error));
    }
  }

  #options(): ConnectionOptions {
    const { servers, credentials, ca, cert, key, name, inboxPrefix } = this.#settings;
    const addresses = servers.map(parseServer);
    const isTls = addresses.some((address) => address.isTls);
    this.#fileProblem = undefined;
    return {
      servers: addresses.map(({ host, port }) => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`),
      name,
      ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
      ...(credentials === undefined ? {} : { authenticator: this.#authenticator(credentials) }),
      tls: isTls
        ? {
            ...(ca === undefined ? {} : { caFile: ca }),
            ...(cert === undefined || key === undefined ? {} : { certFile: cert, keyFile: key }),
          }
        : null,
      timeout: TIMEOUT_MS,
      pingInterval: PING_MS,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: RETRY_MS,
      reconnectJitter: RETRY_MS,
      reconnectJitterTLS: RETRY_MS,
      noAsyncTraces: true,
    };
  }

  #authenticator(path: string): NonNullable<ConnectionOptions['authenticator']> {
    const authenticate = fileAuthenticator(path, (error) => (this.#fileProblem = error));
    return (nonce) => {
      this.#fileProblem = undefined;
      return authenticate(nonce);
    };
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#stopWaiting = undefined;
  }

  /** Ends the connection. What was published before is still sent, if a server answers. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    const { current } = this;
    this.#set('closed', undefined);
    this.#stopWaiting?.();
    try {
      await current?.flush();
    } catch {
      // the server went away
    }
    await this.#connection?.close();
    // an attempt that is under way ends within its own time limit
    if (this.#connection !== undefined) await this.#running;
  }
}
