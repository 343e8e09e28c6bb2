/** `polytrace stat`: a table of the metrics of policies, which is updated periodically. */
import { existsSync } from 'node:fs';
import { isLibraryPolicy } from '../names/policy-library.js';
import type { MetricsSample, Tracer } from '../../types/index.js';
import { SUCCESS, UsageError, type Context } from './context.js';
import { print, printMessage } from './output.js';
import { terminalSize, truncateColumns } from './columns.js';
import { StatTable } from './stat-table.js';
import { metricsJson } from './stat-json.js';
import { StopSignals } from './stop-signals.js';

export interface StatOptions {
  readonly policy: readonly string[];
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

/** Loads the policies in a tracer of its own, and prints their metrics until a signal. Actions are only reported. */
export async function runStat(options: StatOptions, context: Context): Promise<number> {
  const missing = options.policy.find((path) => !isLibraryPolicy(path) && !existsSync(path));
  if (missing !== undefined) throw new UsageError(`no such file or folder: ${missing}`);
  let tracer: Tracer | undefined;
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    // the iterator ends with the tracer
    tracer?.close().catch(() => undefined);
  };
  const signals = new StopSignals(context, stop);
  try {
    const { policy: policies, btf } = options;
    tracer = await context.api.openTracer({ policies, containers: true, ...(btf === undefined ? {} : { btf }) });
    if (isStopped) return SUCCESS;
    await printSamples(tracer, options, context);
    return SUCCESS;
  } finally {
    await tracer?.close();
    signals.end();
  }
}

async function printSamples(tracer: Tracer, options: StatOptions, context: Context): Promise<void> {
  const table = new StatTable();
  let isFirst = true;
  for await (const sample of tracer.metricsEvery(Math.round(options.interval * 1000))) {
    if (isFirst && sample.metrics.length === 0) {
      printMessage(context, 'note: the policies count nothing: no selector has the action Count');
    }
    // the first sample is what the others are compared with
    if (!isFirst) await print(context.stdout, formatSample(sample, table, options, context));
    table.update(sample);
    if (!isFirst && options.once === true) return;
    isFirst = false;
  }
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
