/** `polytrace stat`: a table of the metrics of policies, which is updated periodically. */
import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { loadGrpc } from '../grpc/load.js';
import { isLibraryPolicy } from '../names/policy-library.js';
import type { MetricsSample, Tracer } from '../../types/index.js';
import { SUCCESS, UsageError, type Context } from './context.js';
import { print, printMessage } from './output.js';
import { terminalSize, truncateColumns } from './columns.js';
import { StatTable } from './stat-table.js';
import { metricsJson } from './stat-json.js';
import { agentAddress, AGENT_SOCKET, type ServerOptions } from './server-options.js';
import { StopSignals } from './stop-signals.js';

export interface StatOptions extends ServerOptions {
  /** Absent: those of the agent. */
  readonly policy?: readonly string[];
  readonly policyName?: readonly string[];
  /** Seconds between two tables. */
  readonly interval: number;
  readonly once?: boolean;
  readonly output: 'table' | 'json';
  readonly btf?: string;
}

/** Rows of a table that is not on a terminal. */
const ROWS_MAX = 60;
/** The line of the cursor. */
const CURSOR_LINES = 1;

/** Prints the metrics of an agent, or of policies in a tracer of this process, until a signal. */
export function runStat(options: StatOptions, context: Context): Promise<number> {
  const { policy, server, btf } = options;
  if (policy === undefined) {
    if (btf !== undefined) throw new UsageError('--btf is for a tracer: name policies with --policy');
    return statAgent(options, context);
  }
  if (server !== undefined) throw new UsageError('--policy makes a tracer, which --server excludes');
  const missing = policy.find((path) => !isLibraryPolicy(path) && !existsSync(path));
  if (missing !== undefined) throw new UsageError(`no such file or folder: ${missing}`);
  return statHere(policy, options, context);
}

/** Reads what the agent of --server, of POLYTRACE_SOCKET, or of this machine counts. */
async function statAgent(options: StatOptions, context: Context): Promise<number> {
  const { env } = context;
  const chosen = env['POLYTRACE_SOCKET'];
  const address = options.server ?? `unix://${chosen ?? AGENT_SOCKET}`;
  if (options.server === undefined && (chosen === '' || (chosen === undefined && !existsSync(AGENT_SOCKET)))) {
    throw new UsageError('no agent runs on this machine: name policies with --policy, or an agent with --server');
  }
  const { AgentClient } = loadGrpc();
  const client = new AgentClient(agentAddress(address, options));
  const stopped = new AbortController();
  const signals = new StopSignals(context, () => stopped.abort());
  const { signal } = stopped;
  async function* readSamples(): AsyncGenerator<MetricsSample, void> {
    for (let due = performance.now(); ; due = Math.max(due + toMs(options.interval), performance.now())) {
      await wait(due - performance.now(), undefined, { signal });
      yield await client.metrics(options.policyName ?? [], signal);
    }
  }
  try {
    await printSamples(readSamples(), options, context);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    client.close();
    signals.end();
  }
  return SUCCESS;
}

const toMs = (seconds: number): number => Math.round(seconds * 1000);

/** Loads the policies in a tracer of its own. Actions are only reported. */
async function statHere(policies: readonly string[], options: StatOptions, context: Context): Promise<number> {
  let tracer: Tracer | undefined;
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    // the iterator ends with the tracer
    tracer?.close().catch(() => undefined);
  };
  const signals = new StopSignals(context, stop);
  try {
    const { btf } = options;
    tracer = await context.api.openTracer({ policies, containers: true, ...(btf === undefined ? {} : { btf }) });
    if (isStopped) return SUCCESS;
    await printSamples(tracer.metricsEvery(toMs(options.interval)), options, context);
    return SUCCESS;
  } finally {
    await tracer?.close();
    signals.end();
  }
}

async function printSamples(
  samples: AsyncIterable<MetricsSample>,
  options: StatOptions,
  context: Context,
): Promise<void> {
  const table = new StatTable();
  let isFirst = true;
  for await (const all of samples) {
    const sample = selectPolicies(all, options.policyName);
    if (isFirst && sample.metrics.length === 0) {
      const whose = options.policyName === undefined ? '' : `with the name ${options.policyName.join(' or ')} `;
      printMessage(context, `note: the policies ${whose}count nothing: no selector has the action Count`);
    }
    // the first sample is what the others are compared with
    if (!isFirst) await print(context.stdout, formatSample(sample, table, options, context));
    table.update(sample);
    if (!isFirst && options.once === true) return;
    isFirst = false;
  }
}

function selectPolicies({ time, metrics }: MetricsSample, names?: readonly string[]): MetricsSample {
  return { time, metrics: metrics.filter(({ policyName }) => names?.includes(policyName) !== false) };
}

function formatSample(sample: MetricsSample, table: StatTable, options: StatOptions, context: Context): string {
  if (options.output === 'json') return `${metricsJson(sample)}\n`;
  // The size of a terminal can change between two tables.
  const { isTTY = false } = context.stdout;
  const { columns = Infinity, rows } = terminalSize(context.stdout);
  const isLive = isTTY && options.once !== true;
  const height = isLive && rows !== undefined ? Math.max(rows - CURSOR_LINES, 1) : ROWS_MAX;
  const text = table.format(sample, height);
  const fitted =
    isTTY && columns < Infinity ? text.replace(/.+/g, (line) => truncateColumns(line, Math.max(columns, 1))) : text;
  return isLive ? `\u001b[H\u001b[2J${fitted}` : fitted;
}
