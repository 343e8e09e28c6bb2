// Instructions of single filters, and their growth with the number of values and selectors.
import { filterCases, operations, RATIO, scalingCases, type Attach, type FilterCounts } from './cases.mjs';
import { countInVm } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

const ATTACHES = ['fentry', 'kprobe'] as const satisfies readonly Attach[];

/** One row for each filter: the operation by itself, and for each mechanism an empty program and the filter's. */
function filterRows({ nothing, empty, policies }: FilterCounts): Rows {
  const rows = filterCases.map(({ operation, title, name }) => {
    const base = nothing[operation];
    const added = ATTACHES.flatMap((attach) => [
      empty[attach][operation] - base,
      requireCount(policies[attach], name) - base,
    ]);
    return [operations[operation].symbol, title, ...[base, ...added].map(formatNumber)];
  });
  return [['operation', 'filter', 'by itself', ...ATTACHES.flatMap((attach) => [`empty ${attach}`, attach])], ...rows];
}

function requireCount(counts: Readonly<Record<string, number>>, name: string): number {
  const count = counts[name];
  if (count === undefined) throw new Error(`the guest has not counted '${name}'`);
  return count;
}

function scalingRows({ nothing, policies }: FilterCounts): { readonly rows: Rows; readonly broken: readonly string[] } {
  const costs = scalingCases.map(({ title, few, many }) => ({
    title,
    few: requireCount(policies.fentry, few.name) - nothing[few.operation],
    many: requireCount(policies.fentry, many.name) - nothing[many.operation],
  }));
  const rows = costs.map(({ title, few, many }) => [
    title,
    formatNumber(few),
    formatNumber(many),
    (many / few).toFixed(2),
  ]);
  const broken = costs
    .filter(({ few, many }) => many > RATIO * few)
    .map(({ title }) => `'${title}': a hit of many costs more than ${RATIO} times a hit of one`);
  return { rows: [['a hit of', 'one', 'many', 'ratio'], ...rows], broken };
}

export interface FilterTables {
  readonly filters: Rows;
  readonly scaling: Rows;
  /** A message for each row of `scaling` whose ratio exceeds RATIO. */
  readonly broken: readonly string[];
}

export async function filterTables(kernel: string): Promise<FilterTables> {
  const counts = JSON.parse(await countInVm(kernel, 'guest-filters.mts /run/vm', 'filters.json')) as FilterCounts;
  const { rows, broken } = scalingRows(counts);
  return { filters: filterRows(counts), scaling: rows, broken };
}
