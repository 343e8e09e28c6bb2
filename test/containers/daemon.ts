/** Daemons that a test starts and stops: containerd, etcd, parts of Kubernetes. They end with the test's process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createServer } from 'node:net';

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Matches the line of output that reports that the daemon is ready. */
  readonly ready: RegExp;
  /** The file for its output. */
  readonly log: string;
  readonly readyMs?: number;
}

export class Daemon {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #title: string;

  private constructor(child: ChildProcess, title: string, log: string) {
    this.#child = child;
    this.#title = title;
    this.#log = log;
  }

  /** Resolves when the daemon has reported that it is ready. Rejects with the end of its output. */
  static async start(program: string, args: readonly string[], options: DaemonOptions): Promise<Daemon> {
    const { env = {}, ready, log, readyMs = 60_000 } = options;
    const title = program.split('/').at(-1) as string;
    // The kernel kills the daemon when this process dies.
    const prefixedArgs = ['--pdeathsig', 'KILL', program, ...args];
    const child = spawn('setpriv', prefixedArgs, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const daemon = new Daemon(child, title, log);
    const file = openSync(log, 'a');
    const { promise, resolve, reject } = createDeferred();
    let open = 2;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream })
        .on('line', (line) => {
          appendLine(file, line);
          if (ready.test(line)) resolve();
        })
        .on('close', () => {
          if (--open === 0) closeSync(file);
        });
    }
    child.on('error', reject);
    child.on('exit', (status, signal) => reject(new Error(`ended with ${status ?? signal}`)));
    const timer = setTimeout(() => reject(new Error(`was not ready in ${readyMs} ms`)), readyMs);
    try {
      await promise;
      return daemon;
    } catch (error) {
      await daemon.stop('SIGKILL');
      throw new Error(`${title} ${(error as Error).message}:\n${daemon.tail()}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The last lines of its output, for the messages of tests. */
  tail(lines = 20): string {
    return readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Sends the signal, and waits until the daemon has ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  get title(): string {
    return this.#title;
  }
}

function createDeferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function appendLine(file: number, line: string): void {
  try {
    writeSync(file, `${line}\n`);
  } catch {
    // The file may be closed already when the daemon ends.
  }
}

/** Finds TCP ports that are not in use. */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      return (server.address() as { port: number }).port;
    }),
  );
  await Promise.all(servers.map(async (server) => once(server.close(), 'close')));
  return ports;
}
