// Measures the processor time of events at ordinary rates, from the kernel to a program, to lines in a file, and through
// an agent to a client. Needs root.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkout } from '../test/vm/vm.mjs';
import { formatNumber, type Rows } from './table.mjs';

const RATES = [100, 1000, 3000, 10_000] as const;
/** One processor cannot start more programs than this in a second. */
const EXEC_RATE_MAX = 1500;
const SECONDS = 5;
/** V8 compiles the functions of a tracer with the events of some minutes at usual rates. */
const WARM_SECONDS = 20;
/** Bytes of a JSON line of these events. */
const LINE_BYTES = 830;
/** Between two writes of lines. The same is in rates-node.cjs. */
const INTERVAL_MS = 50;
/** Until the last events are read. */
const SETTLE_MS = 200;

const OPENS = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: opens}
spec:
  tracepoints:
  - {subsystem: syscalls, event: sys_enter_openat, args: [{index: 6, type: string}],
     selectors: [{matchArgs: [{index: 6, operator: Equal, values: [/dev/null]}]}]}
`;

interface Consumer {
  /** The process whose processor time counts. */
  readonly measured: ChildProcess;
  readonly others: readonly ChildProcess[];
}

class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'polytrace-rates-'));
  readonly policies = join(this.folder, 'policies.d');
  readonly program = join(this.folder, 'paced');
  readonly opens = join(this.folder, 'opens.yaml');
  readonly #lines = openSync(join(this.folder, 'lines'), 'w');

  constructor() {
    const flags = ['-O2', '-static', '-Wall', '-Wextra'];
    execFileSync('cc', [...flags, '-o', this.program, join(checkout, 'bench/paced.c')], { stdio: 'inherit' });
    mkdirSync(this.policies);
    writeFileSync(this.opens, OPENS);
  }

  async startLibrary(policies: readonly string[]): Promise<Consumer> {
    const measured = this.#spawn([join(checkout, 'bench/rates-library.cjs'), ...policies], 'pipe');
    await waitForText(measured, 'stdout', 'ready');
    return { measured, others: [] };
  }

  async startLines(output: string, policies: readonly string[]): Promise<Consumer> {
    const flags = policies.flatMap((policy) => ['--policy', policy]);
    const measured = this.#spawn([COMMAND, 'getevents', '-o', output, ...flags], this.#lines);
    await waitForText(measured, 'stderr', 'ready');
    return { measured, others: [] };
  }

  async startAgent(policies: readonly string[]): Promise<Consumer> {
    const socket = `unix://${join(this.folder, 'agent.sock')}`;
    for (const policy of policies) cpSync(policy, join(this.policies, basename(policy)));
    const flags = ['--tracing-policy-dir', this.policies, '--health-server', '127.0.0.1:0'];
    const measured = this.#spawn([COMMAND, 'agent', '--server-address', socket, ...flags], 'pipe');
    await waitForText(measured, 'stderr', 'ready');
    const client = this.#spawn([COMMAND, 'getevents', '--server', socket, '-o', 'json'], this.#lines);
    await waitForText(client, 'stderr', 'ready');
    return { measured, others: [client] };
  }

  #spawn(args: readonly string[], stdout: 'pipe' | number): ChildProcess {
    return spawn(process.execPath, args, { cwd: checkout, stdio: ['ignore', stdout, 'pipe'] });
  }

  /** Only writes, at intervals, as many bytes as the lines of so many events in a second have. */
  async startWriter(rate: number): Promise<Consumer> {
    const bytes = Math.round((rate * LINE_BYTES * INTERVAL_MS) / 1000);
    const measured = this.#spawn([join(checkout, 'bench/rates-node.cjs'), String(bytes)], this.#lines);
    await waitForText(measured, 'stderr', 'ready');
    return { measured, others: [] };
  }

  /** Microseconds of processor time while the program runs. */
  async measure({ measured }: Consumer, operation: string, rate: number, seconds = SECONDS): Promise<number> {
    const load = spawn(this.program, [operation, String(rate), String(seconds)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await waitForText(load, 'stdout', 'ready');
    const before = readCpuUs(measured);
    const ended = once(load, 'close');
    load.stdin.end('\n');
    const [status] = (await ended) as [number];
    if (status !== 0) throw new Error(`paced ended with status ${status}`);
    await sleep(SETTLE_MS);
    return readCpuUs(measured) - before;
  }

  close(): void {
    closeSync(this.#lines);
    rmSync(this.folder, { recursive: true });
  }
}

const COMMAND = join(checkout, 'dist/cli/main.js');

async function waitForText(child: ChildProcess, stream: 'stdout' | 'stderr', wanted: string): Promise<void> {
  let text = '';
  const from = child[stream];
  if (from === null) throw new Error('no pipe');
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.includes(wanted)) break;
  }
  if (!text.includes(wanted)) throw new Error(`no ${wanted}: ${text}`);
  from.resume();
}

/** The time of all threads. */
function readCpuUs({ pid }: ChildProcess): number {
  const threads = `/proc/${pid}/task`;
  const times = readdirSync(threads).map((id) =>
    Number(/^\d+/.exec(readFileSync(join(threads, id, 'schedstat'), 'utf8'))),
  );
  return times.reduce((sum, ns) => sum + ns, 0) / 1000;
}

async function stop({ measured, others }: Consumer): Promise<void> {
  for (const child of [...others, measured]) {
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    await ended;
  }
}

export async function ratesTable(): Promise<Rows> {
  const shop = new Workshop();
  const kinds = [
    { name: 'execs and exits', operation: 'exec', eventsPerOperation: 2, policies: [] },
    { name: 'opened files', operation: 'open', eventsPerOperation: 1, policies: [shop.opens] },
  ] as const;
  const rows = [['processor time of an event', ...RATES.map((rate) => `${formatNumber(rate)} a second`)]];
  try {
    for (const { name, operation, eventsPerOperation, policies } of kinds) {
      const consumers = [
        { title: 'counted', start: () => shop.startLibrary(policies) },
        { title: '`getevents -o compact`', start: () => shop.startLines('compact', policies) },
        { title: '`getevents -o json`', start: () => shop.startLines('json', policies) },
        { title: 'agent with a client', start: () => shop.startAgent(policies) },
      ];
      for (const { title, start } of consumers) {
        const consumer = await start();
        await shop.measure(consumer, operation, operation === 'exec' ? EXEC_RATE_MAX : 10_000, WARM_SECONDS);
        const cells: string[] = [];
        for (const rate of RATES) {
          const operations = rate / eventsPerOperation;
          if (operation === 'exec' && operations > EXEC_RATE_MAX) {
            cells.push('');
            continue;
          }
          cells.push(formatCell(await shop.measure(consumer, operation, operations), rate));
        }
        rows.push([`${name}, ${title}`, ...cells]);
        await stop(consumer);
      }
    }
    const cells: string[] = [];
    for (const rate of RATES.filter((each) => each >= 1000)) {
      const writer = await shop.startWriter(rate);
      cells.push(formatCell(await shop.measure(writer, 'open', 1), rate));
      await stop(writer);
    }
    rows.push(['Node.js alone: a timer and a write', '', ...cells]);
  } finally {
    shop.close();
  }
  return rows;
}

function formatCell(us: number, rate: number): string {
  return `${(us / (rate * SECONDS)).toFixed(1)} µs, ${(us / SECONDS / 10_000).toFixed(1)} %`;
}
