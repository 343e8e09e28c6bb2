/** Shared by the native tests: an agent in a process of its own, and a client that knows only the facts about the protocol. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, loadPackageDefinition, type ChannelCredentials, type Client, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROTOCOL } from './protocol.js';

export { needsRoot, needsTracefs } from '../../../test/native/needs.js';

const ROOT = join(__dirname, '../../..');
// What is built: compiling it anew for each run takes seconds.
export const COMMAND = join(ROOT, 'dist/cli/main.js');

/** Collects the output of a stream, and waits until it contains a text. */
export class Gathered {
  text = '';
  readonly #stream: NodeJS.ReadableStream;

  constructor(stream: NodeJS.ReadableStream) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }

  async has(text: string): Promise<void> {
    while (!this.text.includes(text)) await once(this.#stream, 'data');
  }

  lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: Gathered;
  readonly stderr: Gathered;
}

export function command(...args: readonly string[]): Running {
  return commandWith({}, ...args);
}

/** The environment without the variables of the tests: the agent takes such names for settings. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('POLYTRACE_')));
}

function commandWith(variables: NodeJS.ProcessEnv, ...args: readonly string[]): Running {
  return wrapped([], variables, args);
}

/** `wrapper`: a command that runs the agent. */
function wrapped(wrapper: readonly string[], variables: NodeJS.ProcessEnv, args: readonly string[]): Running {
  const env = { ...plainEnvironment(), NO_COLOR: '1', ...variables };
  const [file = '', ...words] = [...wrapper, process.execPath, COMMAND, ...args];
  const child = spawn(file, words, { env, stdio: 'pipe' });
  return { child, stdout: new Gathered(child.stdout), stderr: new Gathered(child.stderr) };
}

/** Runs the command to its end. */
export async function ran(...args: readonly string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return ranWith({}, ...args);
}

export async function ranWith(
  variables: NodeJS.ProcessEnv,
  ...args: readonly string[]
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const { child, stdout, stderr } = commandWith(variables, ...args);
  child.stdin.end();
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: stdout.text, stderr: stderr.text };
}

/** A service manager's socket: prints what it gets, a message a line. Node.js has no datagram sockets of this kind. */
const RECEIVER = `
use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die $!;
print "listening\\n";
while (defined recv($s, my $text, 4096, 0)) { $text =~ s/\\n/ /g; print "$text\\n"; }
`;

/** A wrapper for `Machine` that leaves the capabilities which the unit for systemd has. */
export function withUnitCapabilities(): string[] {
  const unit = readFileSync(join(ROOT, 'deploy/systemd/polytrace.service'), 'utf8');
  const names = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  assert.ok(names.length > 0);
  const set = ['-all', ...names.map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`)].join(',');
  return ['setpriv', '--bounding-set', set, '--inh-caps', '-all', '--no-new-privs', '--'];
}

/** Receives what a service tells its manager, for as long as the child runs. */
export async function listenAsManager(
  socket: string,
): Promise<{ readonly child: ChildProcess; readonly messages: Gathered }> {
  const child = spawn('perl', ['-e', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages = new Gathered(child.stdout);
  await messages.has('listening\n');
  return { child, messages };
}

/** A folder for one test with a folder of policies and a place for the socket; the agent that uses them. */
export class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), 'polytrace-agent-'));
  readonly policies = join(this.folder, 'policies.d');
  readonly socket = join(this.folder, 'run', 'polytrace.sock');
  readonly address = `unix://${this.socket}`;
  /** A command that runs the agent, with its arguments. */
  wrapper: readonly string[] = [];
  #agent: Running | undefined;

  constructor() {
    mkdirSync(this.policies);
  }

  /** Resolves when the agent is ready. */
  start(...args: readonly string[]): Promise<Running> {
    return this.startWith({}, ...args);
  }

  async startWith(variables: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Running> {
    const own = ['--tracing-policy-dir', this.policies, '--server-address', this.address, '--log-format', 'json'];
    const agent = wrapped(this.wrapper, variables, ['agent', ...own, '--no-containers', ...args]);
    this.#agent = agent;
    const ended = once(agent.child, 'exit').then(() => {
      throw new Error(`the agent ended: ${agent.stderr.text}`);
    });
    await Promise.race([agent.stderr.has('"msg":"ready"'), ended]);
    ended.catch(() => undefined);
    return agent;
  }

  get agent(): Running {
    assert.ok(this.#agent !== undefined);
    return this.#agent;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { child } = this.agent;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [status] = (await ended) as [number | null];
    return status;
  }

  async remove(): Promise<void> {
    if (this.#agent !== undefined) await this.stop('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export type Reply = Record<string, unknown>;
type Method = (
  request: object,
  done: (error: ServiceError | null, reply: Reply) => void,
) => unknown;
type Services = Record<string, Record<string, new (address: string, credentials: ChannelCredentials) => Client>>;

/** What `@grpc/proto-loader` makes of the facts. */
function loadServices(): Services {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-protocol-'));
  try {
    const file = join(folder, 'protocol.proto');
    writeFileSync(file, PROTOCOL);
    const options = { keepCase: true, longs: String, enums: String, oneofs: true };
    return loadPackageDefinition(loadSync(file, options)) as unknown as Services;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const services = loadServices();

/** A client of the service that knows only the facts. */
export class Facts {
  readonly client: Client;

  constructor(address: string, secrets: ChannelCredentials = credentials.createInsecure(), service = 'FineGuidanceSensors') {
    const Service = services['tetragon']?.[service];
    assert.ok(Service !== undefined);
    this.client = new Service(address, secrets);
  }

  /** A call with one answer. Rejects with a ServiceError. */
  call(name: string, request: object = {}): Promise<Reply> {
    const method = (this.client as unknown as Record<string, Method>)[name];
    assert.ok(method !== undefined, name);
    return new Promise((resolve, reject) => {
      method.call(this.client, request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  }

  events(request: object = {}): EventReader {
    const start = (this.client as unknown as Record<string, (request: object) => ClientReadableStream<Reply>>)['GetEvents'];
    assert.ok(start !== undefined);
    return new EventReader(start.call(this.client, request));
  }

  close(): void {
    this.client.close();
  }
}

/** The messages of a stream, in order. */
export class EventReader {
  readonly stream: ClientReadableStream<Reply>;
  readonly seen: Reply[] = [];
  /** Resolves when the agent has opened the stream: events from then on are in it. */
  readonly open: Promise<unknown>;
  readonly ended: Promise<ServiceError | undefined>;

  constructor(stream: ClientReadableStream<Reply>) {
    this.stream = stream;
    stream.on('data', (message: Reply) => this.seen.push(message));
    this.ended = new Promise((resolve) => {
      stream.on('error', resolve);
      stream.on('end', () => resolve(undefined));
    });
    this.open = Promise.race([once(stream, 'metadata'), this.ended]);
  }

  /** The first message that fits, of those that have come or that come. */
  async find(fits: (message: Reply) => boolean): Promise<Reply> {
    for (let at = 0; ; at++) {
      while (at >= this.seen.length) await once(this.stream, 'data');
      const message = this.seen[at] as Reply;
      if (fits(message)) return message;
    }
  }

  cancel(): void {
    this.stream.cancel();
  }
}

/** The part of a message with the event, whatever its kind. */
export function inner(message: Reply): Record<string, unknown> {
  return (message[message['event'] as string] ?? {}) as Record<string, unknown>;
}

/** The process of an event; empty without one. */
export function processOf(message: Reply): Record<string, unknown> {
  return (inner(message)['process'] ?? {}) as Record<string, unknown>;
}

/** A policy with a tracepoint that any kernel has: what opens files. */
export function openatPolicy(name: string, path: string): string {
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: ${name}
spec:
  tracepoints:
    - subsystem: syscalls
      event: sys_enter_openat
      args:
        - index: 6
          type: string
      selectors:
        - matchArgs:
            - index: 6
              operator: Equal
              values: ["${path}"]
`;
}
