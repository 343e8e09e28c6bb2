/** What people and programs do to an agent at the same time. Each loop repeats until it is stopped, and restores what it changed. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openatPolicy, ProtocolClient, type Machine } from '../native/support.js';

/** Time between two actions of a loop. */
const PAUSE_MS = 300;

type Action = () => unknown;

/** Runs all actions of a list, again and again. `runs` counts them. */
export class Loop {
  runs = 0;
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(actions: readonly Action[]) {
    this.#ended = this.#run(actions);
  }

  async #run(actions: readonly Action[]): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      await actions[i % actions.length]?.();
      this.runs += 1;
      await sleep(PAUSE_MS);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }
}

/** Changes in the folder of policies. `guard.yaml` and `load.yaml` are in it before and after each of them. */
export function fileActions({ folder, policies }: Machine): Action[] {
  const away = join(folder, 'away');
  const inFolder = (name: string): string => join(policies, name);
  const beside = async (name: string, make: (path: string) => void): Promise<void> => {
    make(inFolder(name));
    await sleep(PAUSE_MS);
    rmSync(inFolder(name), { recursive: true, force: true });
  };
  const swap = async (change: () => void): Promise<void> => {
    renameSync(policies, away);
    change();
    await sleep(PAUSE_MS);
    if (existsSync(policies)) rmSync(policies, { recursive: true });
    renameSync(away, policies);
  };
  return [
    () => beside('guard-old.yaml', (path) => copyFileSync(inFolder('guard.yaml'), path)),
    () => beside('broken.yaml', (path) => writeFileSync(path, 'kind: [TracingPolicy')),
    () => beside('pipe.yaml', (path) => execFileSync('mkfifo', [path])),
    () => beside('link.yaml', (path) => symlinkSync('/dev/zero', path)),
    () => beside('folder.yaml', (path) => mkdirSync(path)),
    () =>
      beside('open.yaml', (path) => {
        writeFileSync(path, openatPolicy('open', '/never'));
        chmodSync(path, 0o666);
      }),
    () => swap(() => undefined),
    () => swap(() => cpSync(away, policies, { recursive: true })),
    () => swap(() => symlinkSync(away, policies)),
    async () => {
      for (let i = 0; i < 10; i++) writeFileSync(inFolder(`many-${i}.yaml`), openatPolicy(`many-${i}`, '/never'));
      await sleep(5 * PAUSE_MS);
      for (let i = 0; i < 10; i++) unlinkSync(inFolder(`many-${i}.yaml`));
    },
    async () => {
      for (let i = 0; i < 20; i++) {
        appendFileSync(inFolder('growing.yaml'), `# ${i}\n`);
        await sleep(PAUSE_MS / 10);
      }
      unlinkSync(inFolder('growing.yaml'));
    },
  ];
}

async function openIdle(count: number, target: { readonly path: string } | { readonly port: number }): Promise<void> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = 'path' in target ? connect(target.path) : connect(target.port, '127.0.0.1');
    socket.on('error', () => undefined);
    sockets.push(socket);
  }
  await sleep(2 * PAUSE_MS);
  for (const socket of sockets) socket.destroy();
}

async function sendGarbage(target: { readonly path: string } | { readonly port: number }, text: string): Promise<void> {
  const socket = 'path' in target ? connect(target.path) : connect(target.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  await sleep(PAUSE_MS);
  socket.destroy();
}

/** A refused request is an answer. */
const ask = (client: ProtocolClient, name: string, request: object = {}): Promise<unknown> =>
  client.call(name, request).catch(() => undefined);

export function clientActions({ socket: path, address }: Machine): Action[] {
  const withClient = async (use: (client: ProtocolClient) => Promise<unknown>): Promise<void> => {
    const client = new ProtocolClient(address);
    try {
      await use(client);
    } finally {
      client.close();
    }
  };
  return [
    () => openIdle(100, { path }),
    () => sendGarbage({ path }, 'GET / HTTP/1.1\r\n\r\n'),
    () => sendGarbage({ path }, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(100_000)}`),
    () =>
      withClient(async (client) => {
        for (const yaml of [openatPolicy('mine', '/never'), openatPolicy('guard', '/never'), 'no: policy', '\xff']) {
          await ask(client, 'AddTracingPolicy', { yaml });
        }
        await ask(client, 'DeleteTracingPolicy', { name: 'guard' });
        await ask(client, 'ConfigureTracingPolicy', { name: 'mine', enable: false });
        await ask(client, 'DeleteTracingPolicy', { name: 'mine' });
      }),
    () => withClient((client) => Promise.all(Array.from({ length: 200 }, () => ask(client, 'ListTracingPolicies')))),
    () =>
      withClient(async (client) => {
        const readers = Array.from({ length: 20 }, () => client.events());
        for (const { stream } of readers) stream.pause();
        await Promise.all(readers.map(({ open }) => open));
        await sleep(5 * PAUSE_MS);
        for (const reader of readers) reader.cancel();
      }),
    () => withClient((client) => ask(client, 'AddTracingPolicy', { yaml: `# ${'x'.repeat(3_000_000)}` })),
  ];
}

export function scraperActions(url: string): Action[] {
  const port = Number(new URL(url).port);
  const scrape = (): Promise<unknown> =>
    fetch(`${url}/metrics`, { signal: AbortSignal.timeout(20_000) })
      .then((response) => response.text())
      .catch(() => undefined);
  return [
    () => Promise.all(Array.from({ length: 30 }, scrape)),
    () => openIdle(80, { port }),
    () => sendGarbage({ port }, 'GET /metrics HTTP/1.1\r\nhost: '),
    () => sendGarbage({ port }, `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`),
  ];
}

/** Processes with arguments that are long, or no UTF-8. */
export function processActions(): Action[] {
  const run = async (...args: readonly string[]): Promise<void> => {
    await once(spawn('/bin/true', args, { stdio: 'ignore' }), 'exit');
  };
  return [
    () => Promise.all(Array.from({ length: 50 }, (_, i) => run(`n${i}`))),
    () => run('x'.repeat(100_000)),
    () => execFileSync('/bin/sh', ['-c', `/bin/true "$(printf '\\377\\376')"`]),
  ];
}
