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

/** Events a second and seconds of a run, by the number of clients. Each client gets so many. */
const RUNS = [
  { clients: 1, rate: 50_000, seconds: 6 },
  { clients: 2, rate: 50_000, seconds: 6 },
  { clients: 10, rate: 10_000, seconds: 8 },
  { clients: 50, rate: 2000, seconds: 10 },
  { clients: 100, rate: 1000, seconds: 20 },
] as const;
type Run = (typeof RUNS)[number];
const ROUNDS = 3;

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
      const client = new RawClient(socket);
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

export interface ClientTables {
  readonly rows: Rows;
  /** A message for each run in which a client does not know of every event, or in which one is lost. */
  readonly problems: readonly string[];
}

export async function clientsTable(): Promise<ClientTables> {
  const problems: string[] = [];
  const rows: string[][] = [];
  const costs: { readonly agent: number; readonly bare: number }[] = [];
  for (const run of RUNS) {
    const runs: Measured[] = [];
    const bare: Measured[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      runs.push(await measureRun(run, 'agent'));
      bare.push(await measureRun(run, 'bare'));
    }
    const lost = runs.reduce((sum, each) => sum + each.lost, 0);
    const missing = runs.reduce((sum, each) => sum + each.missing, 0);
    if (lost > 0) problems.push(`${run.clients} clients: ${lost} events were lost`);
    if (missing > 0) problems.push(`${run.clients} clients: ${missing} events were neither received nor reported as lost`);
    const middle = (list: readonly Measured[], field: keyof Measured): number => median(list.map((each) => each[field]));
    const cost = { agent: middle(runs, 'cpuNs'), bare: middle(bare, 'cpuNs') };
    costs.push(cost);
    const first = costs[0] ?? cost;
    const further = (which: 'agent' | 'bare'): string =>
      run.clients === 1 ? '' : `${formatNumber(Math.round((cost[which] - first[which]) / (run.clients - 1)))} ns`;
    rows.push([
      formatNumber(run.clients),
      formatNumber(run.rate),
      `${formatNumber(Math.round(cost.agent))} ns`,
      further('agent'),
      `${formatNumber(Math.round(cost.bare))} ns`,
      further('bare'),
      `${Math.round(middle(runs, 'share') * 100)} %`,
      formatNumber(lost),
    ]);
  }
  return {
    rows: [
      [
        'clients',
        'events a second',
        'CPU per event',
        'for each further client',
        'HTTP/2 alone',
        'for each further client',
        'of a core',
        'lost',
      ],
      ...rows,
    ],
    problems,
  };
}
