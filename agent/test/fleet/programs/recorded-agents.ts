/**
 * recorded-agents.ts JSON: agents that take their events from a recording, in one process. Everything else is that of an
 * agent: its configuration, its hub, its formats, its exports. Each writes how many events it has made into a file, and
 * the process prints its processor time at the end. See FloodOptions.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readEvents, type AgentEvent, type PlainEvent } from 'polytrace';
import { loadConfiguration } from '../../../lib/config/load.js';
import { openLog } from '../../../lib/log/log.js';
import { Exports } from '../../../lib/main/exports.js';
import { EventHub } from '../../../lib/streams/hub.js';

export interface FloodOptions {
  readonly nodes: readonly string[];
  /** The servers of each node. */
  readonly servers: readonly string[];
  readonly recording: string;
  /** Folder for the spools and the numbers of events. */
  readonly folder: string;
  /** Events in a second, and in all, of each node. */
  readonly rate: number;
  readonly events: number;
  /** Kills itself when the first node has made so many events. */
  readonly killAt?: number;
  /** Sends the events to this collector in place of a fleet, or nowhere (`-`). */
  readonly collector?: string;
}

/** Time between two batches, as with the tracer. */
const BATCH_MS = 50;

const options = JSON.parse(process.argv[2] ?? '{}') as FloodOptions;

async function openRecording(): Promise<PlainEvent[]> {
  const events: PlainEvent[] = [];
  for await (const event of readEvents(options.recording)) if ('process' in event) events.push(event);
  return events;
}

/** The batches of a tracer. The pid of the process is the number of the event. */
async function* makeBatches(
  recorded: readonly PlainEvent[],
  nodeName: string,
  first: number,
): AsyncGenerator<AgentEvent[]> {
  const { rate, events, killAt, folder } = options;
  const file = openSync(join(folder, `${nodeName}.made`), 'w');
  const startedAt = performance.now();
  for (let made = 0; made < events;) {
    const due = Math.min(events, Math.ceil(((performance.now() - startedAt) / 1000) * rate));
    const batch: AgentEvent[] = [];
    for (; made < due; made++) {
      const event = recorded[made % recorded.length] as PlainEvent & { readonly process: object };
      const now = Date.now();
      const time = { time: new Date(now).toISOString().replace('Z', '000000Z'), timeNs: BigInt(now) * 1_000_000n };
      batch.push({ ...event, ...time, nodeName, process: { ...event.process, pid: first + made + 1 } } as never);
    }
    if (batch.length > 0) yield batch;
    writeSync(file, String(made), 0);
    if (killAt !== undefined && made >= killAt) process.kill(process.pid, 'SIGKILL');
    if (rate < 1e6) await wait(BATCH_MS);
  }
}

async function runNode(nodeName: string, recorded: readonly PlainEvent[]): Promise<void> {
  const { servers, folder, collector } = options;
  const target =
    collector === undefined ? { fleet: servers } : collector === '-' ? {} : { exportOtlpEndpoint: collector };
  const spool = join(folder, `${nodeName}.spool`);
  const spools = collector === undefined ? { fleetSpoolDir: spool } : {};
  const flags = { nodeName, ...target, ...spools, eventQueueBytes: String(64 * 1024 * 1024) };
  const configuration = loadConfiguration({ env: {}, flags, file: '/dev/null' });
  const log = openLog({ level: 'warn', format: 'json' }, process.stderr);
  const exports = await Exports.open(configuration, { log, stdout: process.stdout, version: '0', nodeName });
  const hub = new EventHub({ nodeName, ancestors: false, processCred: false, processNs: false });
  exports.start(hub);
  const first = options.killAt === undefined ? Number(process.env['FIRST'] ?? 0) : 0;
  await hub.run({ batches: () => makeBatches(recorded, nodeName, first) } as never);
  // a receiver that is away takes its time
  const isWaiting = (): boolean => {
    const stats = exports.fleet?.stats ?? exports.otlp?.stats;
    return (
      stats !== undefined && stats.waiting + stats.spooled + (stats.sent + stats.lost < options.events ? 1 : 0) > 0
    );
  };
  while (isWaiting()) await wait(BATCH_MS);
  await exports.close();
}

void (async () => {
  const recorded = await openRecording();
  const before = process.cpuUsage();
  await Promise.all(options.nodes.map((node) => runNode(node, recorded)));
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpuMicroseconds: user + system }));
})();
