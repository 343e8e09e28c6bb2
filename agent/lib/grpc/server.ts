/** Runs the gRPC server with its addresses, certificates, limits and services. */
import { statSync } from 'node:fs';
import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js';
import type { Log } from '../log/log.js';
import {
  AddressError,
  claimSocket,
  findGroupId,
  isLoopback,
  parseAddress,
  restrictSocket,
  type Address,
} from './address.js';
import { Certificates, type OnSettingChange, type TlsFiles, type TlsTimes } from './certificates.js';
import { HealthStatus } from './health.js';
import { addReflection } from './reflection.js';
import type { Service } from './service.js';
import { tokenInterceptor } from './token-check.js';
import { TokenFile } from './token-file.js';

export interface ServerSettings {
  readonly addresses: readonly string[];
  readonly group?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** Clients of a TCP address need one of the tokens in this file. */
  readonly tokenFile?: string | undefined;
  /** Clients of a TCP address need no certificate and no token. */
  readonly insecureClients?: boolean;
  readonly onChange?: OnSettingChange;
  /** Default: 10 seconds for each. */
  readonly tlsTimes?: Partial<TlsTimes>;
  /** Interval of checking that the sockets still exist. */
  readonly socketCheckMs?: number;
}

const OPTIONS: ServerOptions = {
  'grpc.max_concurrent_streams': 256,
  // a policy has at most 1 MiB
  'grpc.max_receive_message_length': 2 * 1024 * 1024,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_metadata_size': 16 * 1024,
};

const TLS_TIMES: TlsTimes = { refreshMs: 10_000, handshakeMs: 10_000 };
const SOCKET_CHECK_MS = 2000;

export class GrpcServer {
  /** Serves the Unix sockets, which the file system protects. */
  readonly #server = new Server(OPTIONS);
  readonly #services: readonly Service[];
  /** Serves the TCP addresses. */
  #tcpServer: Server | undefined;
  readonly #settings: ServerSettings;
  readonly #log: Log;
  readonly #health = new HealthStatus();
  /** Paths and inode numbers of the sockets. */
  readonly #sockets = new Map<string, bigint>();
  #certificates: Certificates | undefined;
  #tokens: TokenFile | undefined;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;

  constructor(settings: ServerSettings, services: readonly Service[], log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#services = services;
    this.#addServices(this.#server, true);
  }

  #addServices(server: Server, isSocket: boolean): void {
    for (const service of [...this.#services, this.#health.service]) {
      server.addService(service.definition, service.implement(isSocket));
    }
    addReflection(server);
  }

  /** Listens on all addresses, or on none. Returns the addresses with the chosen ports. */
  async listen(): Promise<string[]> {
    const addresses = this.#settings.addresses.map(parseAddress);
    for (const address of addresses) this.#requireClientIdentity(address);
    const bound: string[] = [];
    try {
      for (const address of addresses) bound.push(await this.#bind(address));
    } catch (error) {
      for (const server of this.#servers) server.forceShutdown();
      this.#certificates?.stop();
      this.#tokens?.stop();
      throw error;
    }
    if (this.#sockets.size > 0) {
      this.#timer = setInterval(() => {
        this.#checking ??= this.#checkSockets().finally(() => (this.#checking = undefined));
      }, this.#settings.socketCheckMs ?? SOCKET_CHECK_MS);
    }
    return bound;
  }

  /** The file system protects a socket. Whoever reaches a TCP address can change policies. */
  #requireClientIdentity(address: Address): void {
    const { tls, tokenFile, insecureClients = false } = this.#settings;
    if (address.kind === 'unix') return;
    const text = `${address.host}:${address.port}`;
    if (tls === undefined && !isLoopback(address.host)) {
      throw new AddressError(`${text} can be reached from other machines: that needs --tls-cert and --tls-key`);
    }
    if (tls?.clientCa !== undefined || tokenFile !== undefined || insecureClients) return;
    throw new AddressError(
      `everybody who reaches ${text} could change policies: ` +
        'use --server-token-file, --tls-cert with --tls-key and --tls-client-ca, a unix:// address, or --insecure-clients',
    );
  }

  async #bind(address: Address): Promise<string> {
    if (address.kind === 'unix') {
      await claimSocket(address.path);
      await this.#bindSocket(address.path);
      return `unix://${address.path}`;
    }
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    const port = await bindTo(this.#openTcpServer(), `${host}:${address.port}`, this.#credentials());
    return `${host}:${port}`;
  }

  /** Creates the socket with permissions for its owner only, then adds the group. */
  async #bindSocket(path: string): Promise<void> {
    const { group } = this.#settings;
    const id = group === undefined ? undefined : findGroupId(group);
    const before = process.umask(0o177);
    try {
      await bindTo(this.#server, `unix://${path}`, ServerCredentials.createInsecure());
    } finally {
      process.umask(before);
    }
    restrictSocket(path, id);
    this.#sockets.set(path, statSync(path, { bigint: true }).ino);
  }

  get #servers(): Server[] {
    return this.#tcpServer === undefined ? [this.#server] : [this.#server, this.#tcpServer];
  }

  #openTcpServer(): Server {
    if (this.#tcpServer !== undefined) return this.#tcpServer;
    const { tokenFile, tlsTimes, onChange = () => undefined } = this.#settings;
    const refreshMs = tlsTimes?.refreshMs ?? TLS_TIMES.refreshMs;
    if (tokenFile !== undefined) this.#tokens = new TokenFile(tokenFile, refreshMs, this.#log, onChange);
    const interceptors = this.#tokens === undefined ? [] : [tokenInterceptor(this.#tokens, this.#log)];
    this.#tcpServer = new Server({ ...OPTIONS, interceptors });
    this.#addServices(this.#tcpServer, false);
    return this.#tcpServer;
  }

  /** Uses TLS when certificates are configured, also on loopback addresses. */
  #credentials(): ServerCredentials {
    const { tls, tlsTimes, onChange = () => undefined } = this.#settings;
    if (tls === undefined) return ServerCredentials.createInsecure();
    this.#certificates ??= new Certificates(tls, { ...TLS_TIMES, ...tlsTimes }, this.#log, onChange);
    return this.#certificates.credentials;
  }

  /** Creates sockets again that another process has removed. */
  async #checkSockets(): Promise<void> {
    for (const [path, inode] of this.#sockets) {
      if (statSync(path, { bigint: true, throwIfNoEntry: false })?.ino === inode) continue;
      try {
        this.#server.unbind(`unix://${path}`);
        await claimSocket(path);
        await this.#bindSocket(path);
        this.#log.warn({ socket: path }, 'the socket was removed: it was made again');
      } catch (error) {
        this.#log.error({ socket: path, reason: String(error) }, 'the socket was removed, and could not be made again');
      }
    }
  }

  /** Sets the answers of grpc.health.v1. */
  setServing(isServing: boolean): void {
    this.#health.setServing(isServing);
  }

  /** Waits for running calls, for at most `waitMs`. */
  async close(waitMs: number): Promise<void> {
    clearInterval(this.#timer);
    this.#certificates?.stop();
    await this.#checking;
    this.#tokens?.stop();
    this.setServing(false);
    await Promise.all(this.#servers.map((server) => shutDown(server, waitMs)));
  }
}

function bindTo(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(new AddressError(`cannot listen on ${address}: ${error.message}`));
    });
  });
}

function shutDown(server: Server, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, waitMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
