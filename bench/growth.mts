// How costs grow: with values and selectors (counted in the virtual machine), with processes (measured on this machine,
// as root), and where each limit ends.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validatePolicy } from 'polytrace';
import { checkout } from '../test/vm/vm.mjs';
import { countInVm } from './count.mjs';
import { growthRows, limitCases, SIZES, sizesOf, type GrowthCounts } from './growth-cases.mjs';
import { median } from './judge.mjs';
import { formatNumber, type Rows } from './table.mjs';

export interface GrowthTables {
  readonly kernel: Rows;
  readonly loading: Rows;
  /** A line for each limit: what grows, how far, and the message beyond it. */
  readonly limits: readonly string[];
  /** A message for each cost that grows more than it may, and for each limit without its message. */
  readonly problems: readonly string[];
}

/** `short`: only the smallest and the largest sizes. */
export async function growthTables(kernel: string, short = false): Promise<GrowthTables> {
  const script = `guest-growth.mts /run/vm${short ? ' short' : ''}`;
  const { added, loadMs } = JSON.parse(await countInVm(kernel, script, 'growth.json')) as GrowthCounts;
  const table = (counts: Readonly<Record<string, number>>, unit: string): Rows => [
    [unit, ...SIZES.map(formatNumber)],
    ...growthRows
      .map(({ name, title }) => [
        title,
        ...SIZES.map((size) => {
          const found = counts[`${name} ${size}`];
          return found === undefined ? '' : formatNumber(Math.round(found));
        }),
      ])
      .filter(([, ...cells]) => cells.some((cell) => cell !== '')),
  ];
  const tooMuch = growthRows.flatMap((each) => {
    const counted = sizesOf(each).flatMap((size) => added[`${each.name} ${size}`] ?? []);
    const times = (counted.at(-1) ?? NaN) / (counted[0] ?? NaN);
    return times <= each.ratio ? [] : [`${each.title}: ${times.toFixed(2)} times; at most ${each.ratio}`];
  });
  const limits = limitLines();
  return {
    kernel: table(added, 'instructions'),
    loading: table(loadMs, 'milliseconds'),
    limits: limits.lines,
    problems: [...tooMuch, ...limits.problems],
  };
}

/** What a person gets who goes beyond a limit: the policies are parsed, and the messages are those of the library. */
function limitLines(): { readonly lines: readonly string[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const lines = limitCases.map(({ title, limit, code, yaml }) => {
    const message = messageOf(yaml());
    if (message?.code !== code) problems.push(`${title}: ${message?.code ?? 'no message'} in place of ${code}`);
    return `- **${title}**: ${limit}\n  \`${code}\`: ${message?.text ?? ''}`;
  });
  return { lines, problems };
}

function messageOf(yaml: string): { readonly code: string; readonly text: string } | undefined {
  const first = validatePolicy(yaml).find(({ severity }) => severity === 'error');
  return first && { code: first.code, text: first.message };
}

interface Opened {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly blockedMs: number;
  readonly anonymousKib: number;
}

const ROUNDS = 3;

/** openTracer beside a growing number of processes. */
export async function processRows(sizes: readonly number[] = [...SIZES, 5000].sort((a, b) => a - b)): Promise<Rows> {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-growth-'));
  const program = join(folder, 'children');
  const rows: string[][] = [];
  try {
    execFileSync('cc', ['-O2', '-static', '-Wall', '-Wextra', '-o', program, join(checkout, 'bench/children.c')]);
    for (const size of sizes) {
      const children = spawn(program, [String(size)], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(children.stdout, 'data');
      const opened = Array.from({ length: ROUNDS }, openOnce);
      const ended = once(children, 'close');
      children.stdin.end();
      await ended;
      const middle = (field: keyof Opened): string =>
        formatNumber(Math.round(median(opened.map((each) => each[field]))));
      const memory = formatNumber(Math.round(median(opened.map(({ anonymousKib }) => anonymousKib)) / 1024));
      rows.push([formatNumber(size), middle('wallMs'), middle('cpuMs'), middle('blockedMs'), memory]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return [['more processes', 'openTracer (ms)', 'CPU (ms)', 'longest block (ms)', 'anonymous memory (MiB)'], ...rows];
}

function openOnce(): Opened {
  const output = execFileSync(process.execPath, [join(checkout, 'bench/open-tracer.cjs')], {
    cwd: checkout,
    encoding: 'utf8',
  });
  return JSON.parse(output) as Opened;
}
