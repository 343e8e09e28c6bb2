/** Counts files, addresses and binaries in the events, with their processes and policies. */
import type { EventRow } from '../../lib/report/row.js';
import type { Column } from './grid.js';
import type { Store } from './store.js';
import { formatClock } from './format-time.js';

export interface NameRow {
  readonly name: string;
  count: number;
  readonly processes: Set<string>;
  readonly policies: Set<string>;
  first: number;
  last: number;
}

/** Returns the names, most frequent first. */
export function countNames(
  store: Store,
  indexes: readonly number[],
  namesIn: (event: EventRow) => readonly string[],
): NameRow[] {
  const rows = new Map<string, NameRow>();
  for (const i of indexes) {
    const event = store.events[i];
    if (event === undefined) continue;
    for (const name of namesIn(event)) {
      const row = rows.get(name) ?? createNameRow(name, event.time);
      rows.set(name, row);
      row.count += 1;
      row.last = event.time;
      if (event.process !== undefined) row.processes.add(event.process);
      if (event.policy !== undefined) row.policies.add(event.policy);
    }
  }
  return [...rows.values()].sort((a, b) => b.count - a.count);
}

function createNameRow(name: string, time: number): NameRow {
  return { name, count: 0, processes: new Set(), policies: new Set(), first: time, last: time };
}

export function createNameColumns(title: string): Column<NameRow>[] {
  return [
    { title, width: 'minmax(12rem, 1fr)', cell: ({ name }) => name, class: 'code', sortKey: ({ name }) => name },
    {
      title: 'Events',
      width: '6rem',
      cell: ({ count }) => count.toLocaleString('en'),
      class: 'number',
      sortKey: ({ count }) => count,
    },
    {
      title: 'Processes',
      width: '7rem',
      cell: ({ processes }) => processes.size.toLocaleString('en'),
      class: 'number',
      sortKey: ({ processes }) => processes.size,
    },
    { title: 'Policies', width: 'minmax(8rem, 0.4fr)', cell: ({ policies }) => [...policies].join(', ') },
    {
      title: 'First',
      width: '7.5rem',
      cell: ({ first }) => formatClock(first),
      class: 'code',
      sortKey: ({ first }) => first,
    },
    {
      title: 'Last',
      width: '7.5rem',
      cell: ({ last }) => formatClock(last),
      class: 'code',
      sortKey: ({ last }) => last,
    },
  ];
}
