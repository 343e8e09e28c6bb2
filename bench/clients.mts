// What an agent costs with a growing number of clients, which read the same events over a Unix socket. The clients are in
// this process, and only the agent's processor time is measured. Each client must receive every event, or the report
// that it is lost.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EventCounter, frameMessage, RawClient, waitUntil } from '../agent/test/unit/grpc/server.js';
import { checkout } from '../test/vm/vm.mjs';
import type { ServerCosts } from './agent-server.mjs';
import { median } from './judge.mjs';
import { formatNumber, type Rows } from './table.mjs';

/** Each client gets so many events a second. */
const RUNS = [
  { clients: 1, rate: 20_000, seconds: 6 },
  { clients: 2, rate: 20_000, seconds: 6 },
  { clients: 10, rate: 20_000, seconds: 6 },
  { clients: 1, rate: 2000, seconds: 8 },
  { clients: 10, rate: 2000, seconds: 8 },
  { clients: 50, rate: 2000, seconds: 8 },
  { clients: 100, rate: 2000, seconds: 8 },
] as const;
type Run = (typeof RUNS)[number];
const ROUNDS = 3;
/** The window of our own client. */
const WINDOW_BYTES = 1024 * 1024;

interface Measured {
  /** Nanoseconds of the agent's processor time for an event. */
  readonly cpuNs: number;
  /** Share of one processor. */
  readonly share: number;
  /** Events that clients did not get, and that were reported to them. */
  readonly lost: number;
  /** Events of which some client knows nothing. */
  readonly missing: number;
}

async function measureRun({ clients, rate, seconds }: Run, server: 'agent' | 'bare'): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-clients-'));
  const socket = join(folder, 'agent.sock');
  const script = join(checkout, 'bench/agent-server.mts');
  const args = ['--import', 'tsx', script, socket, ...[rate, seconds, clients].map(String), 'realistic', server];
  const child = spawn(process.execPath, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'inherit'] });
  const opened: RawClient[] = [];
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const counters = Array.from({ length: clients }, () => {
      const client = new RawClient(socket, WINDOW_BYTES);
      opened.push(client);
      const counter = new EventCounter();
      client.call('GetEvents', frameMessage(Buffer.alloc(0))).on('data', (chunk: Buffer) => counter.add(chunk));
      return counter;
    });
    const line = (await lines.next()) as IteratorResult<string, undefined>;
    const { produced, measured, cpuUs, seconds: took } = JSON.parse(line.value ?? '') as ServerCosts;
    const known = (): number[] => counters.map(({ received, lost }) => received + lost);
    await waitUntil(() => known().every((count) => count >= produced));
    return {
      cpuNs: (cpuUs * 1000) / measured,
      share: cpuUs / 1e6 / ((took * measured) / produced),
      lost: counters.reduce((sum, { lost }) => sum + lost, 0),
      missing: known().reduce((sum, count) => sum + Math.abs(produced - count), 0),
    };
  } finally {
    for (const client of opened) client.close();
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

export interface ClientTable {
  readonly rows: Rows;
  /** A message for each run in which an event is lost, or in which a client does not know of every event. */
  readonly problems: readonly string[];
}

interface Compared {
  readonly run: Run;
  readonly agent: readonly Measured[];
  readonly bare: readonly Measured[];
}

export async function clientsTable(): Promise<ClientTable> {
  const all: Compared[] = [];
  for (const run of RUNS) {
    const [agent, bare]: [Measured[], Measured[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      agent.push(await measureRun(run, 'agent'));
      bare.push(await measureRun(run, 'bare'));
    }
    all.push({ run, agent, bare });
  }
  const head = [
    'clients',
    'events a second',
    'CPU of an event',
    'a further client',
    'HTTP/2 alone',
    'a further client',
  ];
  return {
    rows: [[...head, 'of a core', 'lost'], ...all.map((each) => formatCompared(each, all))],
    problems: all.flatMap(findProblems),
  };
}

const sum = (runs: readonly Measured[], field: keyof Measured): number =>
  runs.reduce((total, each) => total + each[field], 0);
const middle = (runs: readonly Measured[], field: keyof Measured): number => median(runs.map((each) => each[field]));

function formatCompared(compared: Compared, all: readonly Compared[]): string[] {
  const { run, agent } = compared;
  const one = all.find((each) => each.run.clients === 1 && each.run.rate === run.rate) ?? compared;
  const cells = (which: 'agent' | 'bare'): string[] => {
    const cost = middle(compared[which], 'cpuNs');
    const further = (cost - middle(one[which], 'cpuNs')) / (run.clients - 1);
    return [cost, further].map((ns) => (Number.isFinite(ns) ? `${formatNumber(Math.round(ns))} ns` : ''));
  };
  const share = `${(middle(agent, 'share') * 100).toFixed(1)} %`;
  return [
    formatNumber(run.clients),
    formatNumber(run.rate),
    ...cells('agent'),
    ...cells('bare'),
    share,
    formatNumber(sum(agent, 'lost')),
  ];
}

function findProblems({ run, agent }: Compared): string[] {
  const [lost, missing] = [sum(agent, 'lost'), sum(agent, 'missing')];
  const title = `${run.clients} clients at ${formatNumber(run.rate)} events a second`;
  return [
    ...(lost > 0 ? [`${title}: ${lost} events were lost`] : []),
    ...(missing > 0 ? [`${title}: ${missing} events were neither received nor reported as lost`] : []),
  ];
}
