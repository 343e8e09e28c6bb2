// What stack traces add to a read that matches.
import { countInVm } from './count.mjs';
import { stackAttaches, stackCases, type StackCosts } from './stack-cases.mjs';
import { formatNumber, type Rows } from './table.mjs';

export interface StackTable {
  readonly rows: Rows;
  /** A message for each case that costs more than its limit. */
  readonly tooMany: readonly string[];
}

/** `limited`: only by fentry, where the cases have limits. */
export async function stackTable(kernel: string, limited = false): Promise<StackTable> {
  const script = `guest-stacks.mts /run/vm${limited ? ' limited' : ''}`;
  const { nothing, policies } = JSON.parse(await countInVm(kernel, script, 'stacks.json')) as StackCosts;
  const attaches = limited ? (['fentry'] as const) : stackAttaches;
  const added = (attach: (typeof attaches)[number], title: string): number =>
    (policies[attach][title] ?? NaN) - nothing;
  return {
    rows: [
      ['stack', ...attaches, 'limit by fentry'],
      ...stackCases.map(({ title, limit }) => [
        title,
        ...attaches.map((attach) => formatNumber(added(attach, title))),
        limit === undefined ? '' : formatNumber(limit),
      ]),
    ],
    tooMany: stackCases.flatMap(({ title, limit = Infinity }) =>
      added('fentry', title) <= limit
        ? []
        : [`stack traces, ${title}: ${added('fentry', title)} instructions by fentry; the limit is ${limit}`],
    ),
  };
}
