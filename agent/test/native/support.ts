/**
 * Helpers of the native tests: an agent in its own process, and a client with an independent definition of the
 * protocol.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, loadPackageDefinition, Metadata, type ChannelCredentials, type Client, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROTOCOL } from './protocol.js';

export { needsRoot, needsTracefs } from '../../../test/native/requirements.js';

const ROOT = join(__dirname, '../../..');
// the built command: compiling it for each run takes seconds
export const COMMAND = join(ROOT, 'dist/cli/main.js');

/** Collects the output of a stream, and waits until it contains a text. */
export class OutputReader {
  text = '';
  readonly #stream: NodeJS.ReadableStream;

  constructor(stream: NodeJS.ReadableStream) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }

  async waitFor(text: string): Promise<void> {
    while (!this.text.includes(text)) await once(this.#stream, 'data');
  }

  lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

export interface RunningCommand {
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: OutputReader;
  readonly stderr: OutputReader;
}

export function spawnCommand(...args: readonly string[]): RunningCommand {
  return spawnCommandWith({}, ...args);
}

/** Returns the environment without POLYTRACE_… variables, because the agent reads those as settings. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('POLYTRACE_')));
}

function spawnCommandWith(variables: NodeJS.ProcessEnv, ...args: readonly string[]): RunningCommand {
  return spawnWrapped([], variables, args);
}

/** `wrapper`: a command that runs the agent. */
function spawnWrapped(wrapper: readonly string[], variables: NodeJS.ProcessEnv, args: readonly string[]): RunningCommand {
  const env = { ...plainEnvironment(), NO_COLOR: '1', ...variables };
  const [file = '', ...spawnArgs] = [...wrapper, process.execPath, COMMAND, ...args];
  const child = spawn(file, spawnArgs, { env, stdio: 'pipe' });
  return { child, stdout: new OutputReader(child.stdout), stderr: new OutputReader(child.stderr) };
}

/** Runs the command to its end. */
export async function runCommand(...args: readonly string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return runCommandWith({}, ...args);
}

export async function runCommandWith(
  variables: NodeJS.ProcessEnv,
  ...args: readonly string[]
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const { child, stdout, stderr } = spawnCommandWith(variables, ...args);
  child.stdin.end();
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: stdout.text, stderr: stderr.text };
}

/** The socket of a service manager: prints each message on a line. Node.js has no Unix datagram sockets. */
const RECEIVER = `
use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die $!;
print "listening\\n";
while (defined recv($s, my $text, 4096, 0)) { $text =~ s/\\n/ /g; print "$text\\n"; }
`;

/** Returns a wrapper for `Machine` with the capabilities of the unit for systemd. */
export function withUnitCapabilities(): string[] {
  const unit = readFileSync(join(ROOT, 'deploy/systemd/polytrace.service'), 'utf8');
  const names = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  assert.ok(names.length > 0);
  const set = ['-all', ...names.map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`)].join(',');
  return ['setpriv', '--bounding-set', set, '--inh-caps', '-all', '--no-new-privs', '--'];
}

/** Receives the messages to a service manager while the child runs. */
export async function listenAsManager(
  socket: string,
): Promise<{ readonly child: ChildProcess; readonly messages: OutputReader }> {
  const child = spawn('perl', ['-e', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages = new OutputReader(child.stdout);
  await messages.waitFor('listening\n');
  return { child, messages };
}

/** A test folder with policies and a socket, and the agent that uses them. */
export class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), 'polytrace-agent-'));
  readonly policies = join(this.folder, 'policies.d');
  readonly socket = join(this.folder, 'run', 'polytrace.sock');
  readonly address = `unix://${this.socket}`;
  /** A command that runs the agent, with its arguments. */
  wrapper: readonly string[] = [];
  #agent: RunningCommand | undefined;

  constructor() {
    mkdirSync(this.policies);
  }

  /** Resolves when the agent is ready. */
  start(...args: readonly string[]): Promise<RunningCommand> {
    return this.startWith({}, ...args);
  }

  async startWith(variables: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<RunningCommand> {
    const own = ['--tracing-policy-dir', this.policies, '--server-address', this.address, '--log-format', 'json'];
    const agent = spawnWrapped(this.wrapper, variables, ['agent', ...own, '--no-containers', ...args]);
    this.#agent = agent;
    const ended = once(agent.child, 'exit').then(() => {
      throw new Error(`the agent ended: ${agent.stderr.text}`);
    });
    await Promise.race([agent.stderr.waitFor('"msg":"ready"'), ended]);
    ended.catch(() => undefined);
    return agent;
  }

  get agent(): RunningCommand {
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
  metadata: Metadata,
  done: (error: ServiceError | null, reply: Reply) => void,
) => unknown;
type Services = Record<string, Record<string, new (address: string, credentials: ChannelCredentials) => Client>>;

/** Loads PROTOCOL with `@grpc/proto-loader`. */
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

/** A client that uses PROTOCOL in place of the agent's own files. */
export class ProtocolClient {
  readonly client: Client;

  constructor(address: string, secrets: ChannelCredentials = credentials.createInsecure(), service = 'FineGuidanceSensors') {
    const Service = services['tetragon']?.[service];
    assert.ok(Service !== undefined);
    this.client = new Service(address, secrets);
  }

  /** Runs a unary call. Rejects with a ServiceError. */
  call(name: string, request: object = {}, metadata = new Metadata()): Promise<Reply> {
    const method = (this.client as unknown as Record<string, Method>)[name];
    assert.ok(method !== undefined, name);
    return new Promise((resolve, reject) => {
      method.call(this.client, request, metadata, (error, reply) => (error === null ? resolve(reply) : reject(error)));
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

/** Collects the messages of a stream, in order. */
export class EventReader {
  readonly stream: ClientReadableStream<Reply>;
  readonly seen: Reply[] = [];
  /** Resolves when the agent has opened the stream, which then has all later events. */
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

  /** Resolves with the first matching message, received before or after the call. */
  async waitFor(fits: (message: Reply) => boolean): Promise<Reply> {
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

/** Returns the event of a message, whatever its type. */
export function eventFields(message: Reply): Record<string, unknown> {
  return (message[message['event'] as string] ?? {}) as Record<string, unknown>;
}

/** Returns the process of an event, or an empty object. */
export function processFields(message: Reply): Record<string, unknown> {
  return (eventFields(message)['process'] ?? {}) as Record<string, unknown>;
}

/** The policy for `programs/load.c`, whose calls have numbers of their own. `program` is the compiled one. */
export function loadPolicy(program: string): string {
  return `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: load }
spec:
  tracepoints:
    - subsystem: syscalls
      event: sys_enter_lseek
      args: [{ index: 5, type: uint64 }]
      selectors:
        - matchArgs: [{ index: 5, operator: Equal, values: ["424242"] }]
          matchBinaries: [{ operator: In, values: [${JSON.stringify(program)}] }]
`;
}

/** Returns a policy with the tracepoint of openat, which every kernel has. */
export function openatPolicy(name: string, path: string, action?: string): string {
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
${action === undefined ? '' : `          matchActions: [{ action: ${action} }]\n`}`;
}
