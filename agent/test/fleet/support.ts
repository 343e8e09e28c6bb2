/** Agents and readers of a fleet for tests, over real servers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { createEventsStream } from '../../lib/fleet/create.js';
import { FleetConnection, type FleetSettings } from '../../lib/fleet/connection.js';
import { FleetExport, type FleetExportOptions } from '../../lib/fleet/events/fleet-export.js';
import { readFleetEvents, type ReadOptions } from '../../lib/fleet/reading/read-events.js';
import { agentInbox } from '../../lib/fleet/names.js';
import { openLog, type Log } from '../../lib/log/log.js';

export const MEBIBYTE = 1024 * 1024;

/** A log that keeps its lines. */
export function keepLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const stream = { write: (text: string) => lines.push(text) } as unknown as NodeJS.WritableStream;
  return { log: openLog({ level: 'info', format: 'json' }, stream), lines };
}

export function makeFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'polytrace-fleet-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TestNode {
  readonly fleet: FleetExport;
  readonly connection: FleetConnection;
  /** Adds so many events, as one batch of the tracer. */
  add(count: number, policyName?: string): void;
  /** The number of events that were added. */
  readonly made: number;
  close(): Promise<void>;
}

type NodeOptions = Partial<Omit<FleetExportOptions, 'node' | 'folder'>> & {
  readonly settings?: Partial<FleetSettings>;
};

/** Opens what an agent has of a fleet. `folder` is that of the spool. */
export async function openNode(
  node: string,
  folder: string,
  servers: readonly string[],
  options: NodeOptions = {},
): Promise<TestNode> {
  const { cluster = 'default', settings = {}, ...others } = options;
  const inboxPrefix = agentInbox(cluster, node);
  const connection = FleetConnection.open({ servers, name: node, inboxPrefix, ...settings });
  const member = cluster === 'default' ? '' : `,"cluster_name":"${cluster}"`;
  const line = (type: string, fields: object): string =>
    `{"${type}":${JSON.stringify(fields)},"node_name":${JSON.stringify(node)},"time":"${new Date().toISOString().replace('Z', '000000Z')}"${member}}`;
  const fleet = await FleetExport.open({
    connection,
    cluster,
    node,
    folder,
    maxBytes: 64 * MEBIBYTE,
    queueBytes: 4 * MEBIBYTE,
    formatLoss: (count, reason) => line('lost', { hook: 'fleet', reason, count }),
    log: keepLog().log,
    ...others,
  });
  let made = 0;
  return {
    fleet,
    connection,
    get made() {
      return made;
    },
    add: (count, policyName = '') => {
      for (let i = 0; i < count; i++) {
        made += 1;
        const type = made % 2 === 0 ? 'process_exec' : 'process_exit';
        const fields = { process: { pid: made, binary: '/bin/true' }, ...(policyName && { policy_name: policyName }) };
        fleet.add(line(type, fields), false, { type, policyName });
      }
      fleet.flush();
    },
    close: async () => {
      await fleet.close(10_000);
      await connection.close();
    },
  };
}

/** What a reader has received of a node. */
export class Received {
  events = 0;
  lost = 0;
  readonly reasons = new Map<string, number>();
  /** The pids of the events, in the order in which they came. */
  readonly pids: number[] = [];
  /** The times of the events, in the same order. */
  readonly times: string[] = [];

  add(line: string): void {
    const { lost, ...event } = JSON.parse(line) as {
      readonly lost?: { readonly count: number; readonly reason: string };
      readonly time?: string;
      readonly [type: string]: unknown;
    };
    if (lost !== undefined) {
      this.lost += lost.count;
      this.reasons.set(lost.reason, (this.reasons.get(lost.reason) ?? 0) + lost.count);
      return;
    }
    this.events += 1;
    this.times.push(event.time ?? '');
    const [body] = Object.values(event) as { readonly process?: { readonly pid?: number } }[];
    this.pids.push(body?.process?.pid ?? 0);
  }

  /** Events that the stream has twice, and those that come before an earlier one. */
  get disorder(): { readonly twice: number; readonly early: number } {
    const early = this.pids.filter((pid, i) => i > 0 && pid <= (this.pids[i - 1] as number)).length;
    return { twice: this.pids.length - new Set(this.pids).size, early };
  }
}

/** Reads until `isDone`. Returns what came by node. */
export async function readUntil(
  connection: NatsConnection,
  options: ReadOptions,
  isDone: (nodes: ReadonlyMap<string, Received>) => boolean,
): Promise<ReadonlyMap<string, Received>> {
  const nodes = new Map<string, Received>();
  for await (const lines of readFleetEvents(connection, { windowMs: 300, ...options })) {
    for (const { text, node } of lines) {
      const received = nodes.get(node) ?? new Received();
      nodes.set(node, received);
      received.add(text);
    }
    if (isDone(nodes)) break;
  }
  return nodes;
}

export const STREAM = { replicas: 1, maxBytes: 256 * MEBIBYTE, maxAgeMs: 3_600_000 };

/** Connects as an operator, and makes the stream. */
export async function openOperator(
  servers: readonly string[],
  stream: Parameters<typeof createEventsStream>[1] = STREAM,
  settings: Partial<FleetSettings> = {},
): Promise<{ readonly connection: FleetConnection; readonly client: NatsConnection }> {
  const connection = FleetConnection.open({ servers, name: 'operator', ...settings });
  const client = await connection.connected(30_000);
  await createEventsStream(client, stream);
  return { connection, client };
}

/** The settings of the agents and commands of a test, as variables. Both keys are public. */
export function fleetVariables(
  servers: readonly string[],
  operator: { readonly publicFile: string },
  controller: { readonly publicFile: string },
): NodeJS.ProcessEnv {
  return {
    POLYTRACE_FLEET: servers.join(','),
    POLYTRACE_CLUSTER_NAME: 'loopback',
    POLYTRACE_FLEET_POLICY_KEY: operator.publicFile,
    POLYTRACE_FLEET_GATE_KEY: controller.publicFile,
  };
}
