// The cost of single filters, and how it grows with values and selectors: instructions of one hook.
import { filters, operations, RATIO, scaling } from './cases.mjs';
import { countInVm } from './count.mjs';
import { number } from './table.mjs';

function filterRows({ nothing, empty, policies }) {
  const head = ['operation', 'filter', 'by itself'];
  const ways = Object.keys(policies);
  for (const attach of ways) head.push(`${attach}: empty`, 'with filter', 'difference');
  const rows = filters.map(({ operation, title, name }) => {
    const row = [operations[operation].symbol, title, number(nothing[operation])];
    for (const attach of ways) {
      const none = empty[attach][operation] - nothing[operation];
      const ours = policies[attach][name] - nothing[operation];
      row.push(number(none), number(ours), number(ours - none));
    }
    return row;
  });
  return [head, ...rows];
}

function scalingRows({ nothing, policies }) {
  const head = ['a hit of', 'one', 'many', 'ratio', 'rule'];
  const costs = scaling.map(({ title, few, many }) => ({
    title,
    few: policies.fentry[few.name] - nothing[few.operation],
    many: policies.fentry[many.name] - nothing[many.operation],
  }));
  const rows = costs.map(({ title, few, many }) => [
    title,
    number(few),
    number(many),
    (many / few).toFixed(2),
    `≤ ${RATIO.toFixed(2)}`,
  ]);
  const broken = costs.filter(({ few, many }) => many > RATIO * few).map(({ title }) => title);
  return { rows: [head, ...rows], broken };
}

/** Two tables, and what breaks the rule of the second. */
export async function filterTables(kernel) {
  const results = await countInVm(kernel, 'guest-filters.mjs /run/vm', 'filters.json');
  return { filters: filterRows(results), scaling: scalingRows(results) };
}
