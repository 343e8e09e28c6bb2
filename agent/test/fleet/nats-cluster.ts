/**
 * Starts real NATS servers with JetStream on loopback, in a folder of their own: one, or several as a cluster. Servers
 * can be killed and started again with the same ports and the same data.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const PROGRAM = ['/usr/sbin/nats-server', '/usr/bin/nats-server'].find((path) => existsSync(path));
/** Between two looks at the pages of a server. */
const LOOK_MS = 50;
/**
 * On a busy machine, the leader sometimes does not learn how much room another server has, and finds `no suitable peers
 * for placement` as long as the servers run. When they start again, they tell it again.
 */
const FIRST_START_MS = 15_000;
const STARTS = 3;
/**
 * A server that was killed sometimes does not take part in the group of a stream any more (`group node unhealthy`) until it
 * starts again. The servers that ran meanwhile have the messages.
 */
const RESTART_MS = 30_000;

export interface ClusterOptions {
  /** Default 1. */
  readonly servers?: number;
  /** Text that is added to the configuration of each server: accounts, users, permissions, TLS. */
  readonly config?: string;
  /** Most bytes of JetStream in files. Default 1 GiB. */
  readonly maxFile?: number;
  /** Default 120 s. */
  readonly timeoutMs?: number;
}

interface Server {
  readonly name: string;
  readonly port: number;
  readonly routePort: number;
  readonly httpPort: number;
  process?: ChildProcess | undefined;
}

/** Returns why no server can be started, or undefined. */
export function missingServer(): string | undefined {
  return PROGRAM === undefined ? 'nats-server is not installed: apt-get install nats-server' : undefined;
}

export class NatsCluster {
  readonly folder: string;
  readonly #options: ClusterOptions;
  readonly #servers: readonly Server[];
  readonly #timeoutMs: number;
  #config: string;

  private constructor(options: ClusterOptions, servers: readonly Server[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'polytrace-nats-'));
    this.#options = options;
    this.#servers = servers;
    this.#timeoutMs = options.timeoutMs ?? 120_000;
    this.#config = options.config ?? '';
  }

  /** Resolves when the servers have elected a leader and take requests. */
  static async start(options: ClusterOptions = {}): Promise<NatsCluster> {
    const count = options.servers ?? 1;
    const ports = await findFreePorts(count * 3);
    const servers = Array.from({ length: count }, (_, i): Server => {
      const [port = 0, routePort = 0, httpPort = 0] = ports.slice(i * 3);
      return { name: `server-${i}`, port, routePort, httpPort };
    });
    const cluster = new NatsCluster(options, servers);
    try {
      await cluster.#start(STARTS);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** `127.0.0.1:PORT` of each server. */
  get addresses(): readonly string[] {
    return this.#servers.map(({ port }) => `127.0.0.1:${port}`);
  }

  /** The servers as `nats://…` or `tls://…`. */
  urls(scheme: 'nats' | 'tls' = 'nats'): readonly string[] {
    return this.addresses.map((address) => `${scheme}://${address}`);
  }

  /** The processes of the running servers. */
  get pids(): readonly (number | undefined)[] {
    return this.#servers.map((server) => server.process?.pid);
  }

  /** The sum of the resident bytes of each server. */
  get memory(): readonly number[] {
    return this.pids.map((pid) => {
      if (pid === undefined) return 0;
      return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
    });
  }

  /** Kills a server at once, or lets it end in order. */
  async kill(index: number, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const server = this.#server(index);
    const { process } = server;
    if (process === undefined) return;
    server.process = undefined;
    const ended = once(process, 'exit');
    if (process.exitCode === null && process.signalCode === null) {
      process.kill(signal);
      await ended;
    }
  }

  /** Starts a killed server again. Resolves when all running servers are ready. */
  async restart(index: number): Promise<void> {
    const server = this.#server(index);
    for (let starts = STARTS; starts > 1; starts--) {
      if (server.process === undefined) this.#spawn(server);
      try {
        return await this.ready(RESTART_MS);
      } catch {
        await this.kill(index, 'SIGTERM');
      }
    }
    this.#spawn(server);
    await this.ready();
  }

  /** Replaces the added configuration. The running servers read it at once. */
  async reconfigure(config: string): Promise<void> {
    this.#config = config;
    for (const server of this.#servers) {
      this.#writeConfig(server);
      const before = this.log(this.#servers.indexOf(server)).split('Reloaded server configuration').length;
      server.process?.kill('SIGHUP');
      await this.#until(`${server.name} reads its configuration`, () =>
        Promise.resolve(this.log(this.#servers.indexOf(server)).split('Reloaded server configuration').length > before),
      );
    }
  }

  /** The log of a server. */
  log(index: number): string {
    const file = join(this.folder, `${this.#server(index).name}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** Ends all servers, and removes their data. */
  async stop(): Promise<void> {
    await this.#killAll();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #killAll(): Promise<void> {
    await Promise.all(this.#servers.map((_, index) => this.kill(index)));
  }

  #server(index: number): Server {
    const server = this.#servers[index];
    if (server === undefined) throw new Error(`there is no server ${index}`);
    return server;
  }

  async #start(starts: number): Promise<void> {
    for (const server of this.#servers) this.#spawn(server);
    if (starts === 1) return this.ready();
    try {
      await this.ready(FIRST_START_MS);
    } catch {
      await this.#killAll();
      await this.#start(starts - 1);
    }
  }

  #spawn(server: Server): void {
    if (PROGRAM === undefined) throw new Error(missingServer());
    mkdirSync(join(this.folder, server.name), { recursive: true });
    server.process = spawn(PROGRAM, ['-c', this.#writeConfig(server)], { stdio: 'ignore' });
  }

  #writeConfig(server: Server): string {
    const file = join(this.folder, `${server.name}.conf`);
    const routes = this.#servers.map(({ routePort }) => `nats://127.0.0.1:${routePort}`);
    const lines = [
      `server_name: ${server.name}`,
      `listen: 127.0.0.1:${server.port}`,
      `http: 127.0.0.1:${server.httpPort}`,
      `log_file: "${join(this.folder, `${server.name}.log`)}"`,
      `jetstream { store_dir: "${join(this.folder, server.name)}", max_mem: 256MB, max_file: ${this.#options.maxFile ?? 2 ** 30} }`,
      ...(this.#servers.length === 1
        ? []
        : [
            `cluster { name: test, listen: 127.0.0.1:${server.routePort}, no_advertise: true, routes: ${JSON.stringify(routes)} }`,
          ]),
      this.#config,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  }

  /** Resolves when the running servers agree on a leader of JetStream, and each is healthy. */
  async ready(timeoutMs = this.#timeoutMs): Promise<void> {
    const end = performance.now() + timeoutMs;
    const running = this.#servers.filter(({ process }) => process !== undefined);
    for (const { name, httpPort } of running) {
      await this.#until(
        `${name} is ready`,
        async () => {
          const health = await readPage(httpPort, 'healthz');
          if (health?.['status'] !== 'ok') return false;
          if (this.#servers.length === 1) return true;
          const meta = (await readPage(httpPort, 'jsz'))?.['meta_cluster'] as { leader?: string } | undefined;
          return meta?.leader !== undefined && meta.leader !== '';
        },
        end,
      );
    }
    if (running.length === this.#servers.length && running.length > 1 && this.#config === '') await this.#place(end);
  }

  /** Resolves when the leader knows that each server has room: a stream on all of them can be made. */
  async #place(end: number): Promise<void> {
    const connection = await connect({ servers: [...this.urls()] });
    try {
      const { streams } = await jetstreamManager(connection);
      await this.#until(
        'the servers take streams',
        async () => {
          try {
            await streams.add({ name: 'PROBE', subjects: ['probe'], num_replicas: this.#servers.length });
            return await streams.delete('PROBE');
          } catch {
            return false;
          }
        },
        end,
      );
    } finally {
      await connection.close();
    }
  }

  async #until(what: string, isTrue: () => Promise<boolean>, end = performance.now() + this.#timeoutMs): Promise<void> {
    while (!(await isTrue())) {
      if (performance.now() > end) {
        throw new Error(`${what}: not in time\n${this.#servers.map((_, index) => this.log(index)).join('\n')}`);
      }
      await wait(LOOK_MS);
    }
  }
}

async function readPage(port: number, page: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/${page}`);
    return (await answer.json()) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/** Ports that nothing used a moment ago. */
async function findFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(async (server) => void (await once(server.close(), 'close'))));
  return ports;
}
