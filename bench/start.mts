// The short benchmark of starting: processor time of a process, as a multiple of Node.js by itself.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from '../test/vm/vm.mjs';
import { judge, median, type Judgement } from './judge.mjs';

const COMMAND = 'dist/cli/main.js';

const starts = [
  { name: "require('polytrace')", args: ['-e', "require('polytrace')"], atMost: 2.1 },
  { name: 'polytrace --help', args: [COMMAND, '--help'], atMost: 1.9 },
  { name: 'polytrace validate', args: [COMMAND, 'validate', 'policies/file-monitoring.yaml'], atMost: 5.5 },
];

const ROUNDS = 5;

/** Processor time of a process, in milliseconds. */
function measureProcessMs(args: readonly string[]): number {
  const { status, output } = spawnSync(
    process.execPath,
    ['--require', join(checkout, 'bench/cpu-at-exit.cjs'), ...args],
    { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
  );
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with status ${status}`);
  return Number(output[3]) / 1000;
}

export function startTable(): Judgement {
  const all = [['-e', '0'], ...starts.map(({ args }) => args)];
  const costs = all.map((): number[] => []);
  // each round measures all of them, so that a disturbance affects all of them
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, args] of all.entries()) costs[i]?.push(measureProcessMs(args));
  }
  const [plain = NaN, ...medians] = costs.map(median);
  return judge({
    head: ['start', 'CPU'],
    unit: 'ms',
    yardstick: { name: 'Node.js by itself', cost: plain },
    measured: starts.map(({ name, atMost }, i) => ({ name, atMost, cost: medians[i] ?? NaN })),
  });
}
