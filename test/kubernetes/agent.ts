/** The agent in a process of its own, beside a cluster of a test, and a client that knows only the facts about its protocol. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import {
  ProtocolClient,
  eventFields,
  plainEnvironment,
  processFields,
  type EventReader,
  type Reply,
} from '../../agent/test/native/support.js';
import { NODE, type Cluster } from './cluster.js';
import { ROOT } from './support.js';

export interface AgentOptions {
  /** File with the rights of the agent. */
  readonly kubeconfig: string;
  readonly args?: readonly string[];
}

export class ClusterAgent {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly facts: ProtocolClient;
  readonly log: string[] = [];

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
    this.#lines.on('line', (line) => this.log.push(line));
    this.facts = new ProtocolClient(address);
  }

  /** Resolves when the agent is ready. */
  static async start(cluster: Cluster, { kubeconfig, args = [] }: AgentOptions): Promise<ClusterAgent> {
    const folder = join(cluster.folder, 'agent');
    mkdirSync(folder, { recursive: true });
    const address = `unix://${join(folder, 'agent.sock')}`;
    const words = [
      'agent',
      '--enable-k8s-api',
      `--k8s-kubeconfig-path=${kubeconfig}`,
      `--node-name=${NODE}`,
      `--server-address=${address}`,
      `--tracing-policy-dir=${join(folder, 'policies.d')}`,
      `--cri-endpoint=unix://${cluster.containerd.socket}`,
      `--nri-endpoint=${cluster.containerd.nriSocket}`,
      '--log-format=json',
      ...args,
    ];
    const command = [join(ROOT, 'dist/cli/main.js'), ...words];
    const child = spawn(process.execPath, command, { env: plainEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] });
    const agent = new ClusterAgent(child, address);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`the agent ended:\n${agent.log.join('\n')}`);
    });
    await Promise.race([agent.waitForLog('"msg":"ready"'), ended]);
    ended.catch(() => undefined);
    return agent;
  }

  /** Waits for a line of the log. */
  async waitForLog(text: string): Promise<void> {
    while (!this.log.some((line) => line.includes(text))) await once(this.#lines, 'line');
  }

  /** A stream of events that has begun. */
  async events(request: object = {}): Promise<EventReader> {
    const reader = this.facts.events(request);
    await reader.open;
    return reader;
  }

  /** Kibibytes of memory, by their names in /proc. */
  memory(): Record<string, number> {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const lines = [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)];
    return Object.fromEntries(lines.map(([, name = '', size]) => [name, Number(size)]));
  }

  /** Returns the status of the process. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.facts.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    const [status] = (await ended) as [number | null];
    return status;
  }
}

/** `NAMESPACE/NAME` of the pod of an event. */
export function podName(message: Reply): string | undefined {
  const pod = processFields(message)['pod'] as { namespace: string; name: string } | null | undefined;
  return pod === null || pod === undefined ? undefined : `${pod.namespace}/${pod.name}`;
}

export function binaryPath(message: Reply): string {
  return String(processFields(message)['binary']);
}

/** When the event happened, in milliseconds since 1970. */
export function eventTime({ time }: Reply): number {
  const { seconds, nanos } = time as { seconds: string | number; nanos: number };
  return Number(seconds) * 1000 + nanos / 1e6;
}

export function policyName(message: Reply): string {
  return (eventFields(message)['policy_name'] as string | undefined) ?? '';
}
