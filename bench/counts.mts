// Instructions of Count actions.
import { countAttaches, countCases, type CountCosts } from './count-cases.mjs';
import { countInVm } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

export interface CountTables {
  readonly rows: Rows;
  /** A message for each case that costs more than its limit. */
  readonly tooMany: readonly string[];
}

export async function countTables(kernel: string): Promise<CountTables> {
  const { nothing, policies } = JSON.parse(
    await countInVm(kernel, 'guest-counts.mts /run/vm', 'counts.json'),
  ) as CountCosts;
  const costs = countCases.map(({ title, limit }) => ({
    title,
    limit,
    added: countAttaches.map((attach) => (policies[attach][title] ?? NaN) - nothing),
  }));
  const rows = costs.map(({ title, added, limit }) => [
    title,
    ...added.map(formatNumber),
    limit === undefined ? '' : formatNumber(limit),
  ]);
  const tooMany = costs.flatMap(({ title, limit, added: [fentry = NaN] }) =>
    limit === undefined || fentry <= limit ? [] : [`${title}: ${fentry} instructions by fentry; the limit is ${limit}`],
  );
  return { rows: [['Count', ...countAttaches, 'limit by fentry'], ...rows], tooMany };
}
