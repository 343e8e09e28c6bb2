// Instructions of Count actions.
import { caseOperation, countAttaches, countCases, type CountCosts } from './count-cases.mjs';
import { countInVm } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

export interface CountTables {
  readonly rows: Rows;
  /** A message for each case that costs more than its limit. */
  readonly tooMany: readonly string[];
}

const BESIDE = [...countAttaches, 'bpftrace'] as const;

async function count(kernel: string, ...words: readonly string[]): Promise<CountCosts> {
  const script = ['guest-counts.mts', '/run/vm', ...words].join(' ');
  return JSON.parse(await countInVm(kernel, script, 'counts.json')) as CountCosts;
}

/** Counts only the policies that have a limit, by fentry. */
export async function countLimitTable(kernel: string): Promise<CountTables> {
  const { nothing, policies } = await count(kernel, 'limited');
  const costs = countCases.flatMap((each) => {
    const { title, limit } = each;
    const cost = (policies.fentry[title] ?? NaN) - nothing[caseOperation(each)];
    return limit === undefined ? [] : [{ title, limit, cost }];
  });
  return {
    rows: [
      ['Count', 'instructions', 'at most'],
      ...costs.map(({ title, limit, cost }) => [title, formatNumber(cost), formatNumber(limit)]),
    ],
    tooMany: costs.flatMap(({ title, limit, cost }) =>
      cost <= limit ? [] : [`${title}: ${cost} instructions by fentry; the limit is ${limit}`],
    ),
  };
}

export async function countTables(kernel: string): Promise<CountTables> {
  const { nothing, policies, bpftrace } = await count(kernel);
  const costs = countCases.map((each) => ({
    ...each,
    added: BESIDE.map((by) => {
      const counted = (by === 'bpftrace' ? bpftrace : policies[by])[each.title];
      return counted === undefined ? NaN : counted - nothing[caseOperation(each)];
    }),
  }));
  const fentryCost = (wanted: string): number => costs.find(({ title }) => title === wanted)?.added[0] ?? NaN;
  const limits = costs.map(({ limit = NaN, more }) => (more === undefined ? limit : fentryCost(more[0]) + more[1]));
  const rows = costs.map(({ title, added }, i) => [title, ...[...added, limits[i] ?? NaN].map(formatOrNothing)]);
  const tooMany = costs.flatMap(({ title, added: [fentry = NaN] }, i) =>
    fentry > (limits[i] ?? NaN) ? [`${title}: ${fentry} instructions by fentry; the limit is ${limits[i]}`] : [],
  );
  return { rows: [['Count', ...BESIDE, 'limit by fentry'], ...rows], tooMany };
}

const formatOrNothing = (count: number): string => (Number.isNaN(count) ? '' : formatNumber(count));
