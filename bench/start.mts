// The short benchmark of starting: processor time of a process, as a multiple of Node.js by itself.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from '../test/vm/vm.mjs';
import { judge, type Judgement } from './judge.mjs';

const COMMAND = 'dist/cli/main.js';

const starts = [
  { name: "require('polytrace')", args: ['-e', "require('polytrace')"], atMost: 3.6 },
  { name: 'polytrace --help', args: [COMMAND, '--help'], atMost: 2.85 },
  { name: 'polytrace validate', args: [COMMAND, 'validate', 'policies/file-monitoring.yaml'], atMost: 6.6 },
];

const ROUNDS = 9;

/** Node.js 20 reads certificates that this variable names at its start, which takes longer than the start. */
const { NODE_EXTRA_CA_CERTS: _, ...ENVIRONMENT } = process.env;

/** Processor time of a process, in milliseconds. */
function measureProcessMs(args: readonly string[]): number {
  const { status, output } = spawnSync(
    process.execPath,
    ['--require', join(checkout, 'bench/cpu-at-exit.cjs'), ...args],
    { cwd: checkout, env: ENVIRONMENT, encoding: 'utf8', stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
  );
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with status ${status}`);
  return Number(output[3]) / 1000;
}

/** The least of some rounds counts: other programs of the machine only add to it. */
export function startTable(): Judgement {
  const all = [['-e', '0'], ...starts.map(({ args }) => args)];
  const costs = all.map((): number[] => []);
  // each round measures all of them, so that a disturbance affects all of them
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, args] of all.entries()) costs[i]?.push(measureProcessMs(args));
  }
  const [plain = NaN, ...least] = costs.map((rounds) => Math.min(...rounds));
  return judge({
    head: ['start', 'CPU'],
    unit: 'ms',
    yardstick: { name: 'Node.js by itself', cost: plain },
    measured: starts.map(({ name, atMost }, i) => ({ name, atMost, cost: least[i] ?? NaN })),
  });
}
