/** Files, addresses and binaries: how often each is in the events, and of which policies. */
import type { EventRow } from '../lib/report/row.js';
import type { Column } from './grid.js';
import type { Store } from './store.js';
import { clock } from './times.js';

export interface NameRow {
  readonly name: string;
  count: number;
  readonly processes: Set<string>;
  readonly policies: Set<string>;
  first: number;
  last: number;
}

/** The most frequent ones come first. */
export function namesOf(
  store: Store,
  indexes: readonly number[],
  of: (event: EventRow) => readonly string[],
): NameRow[] {
  const rows = new Map<string, NameRow>();
  for (const i of indexes) {
    const event = store.events[i];
    if (event === undefined) continue;
    for (const name of of(event)) {
      const row = rows.get(name) ?? newRow(name, event.time);
      rows.set(name, row);
      row.count += 1;
      row.last = event.time;
      if (event.process !== undefined) row.processes.add(event.process);
      if (event.policy !== undefined) row.policies.add(event.policy);
    }
  }
  return [...rows.values()].sort((a, b) => b.count - a.count);
}

function newRow(name: string, time: number): NameRow {
  return { name, count: 0, processes: new Set(), policies: new Set(), first: time, last: time };
}

export function nameColumns(title: string): Column<NameRow>[] {
  return [
    { title, width: 'minmax(12rem, 1fr)', cell: ({ name }) => name, class: 'code', by: ({ name }) => name },
    {
      title: 'Events',
      width: '6rem',
      cell: ({ count }) => count.toLocaleString('en'),
      class: 'number',
      by: ({ count }) => count,
    },
    {
      title: 'Processes',
      width: '7rem',
      cell: ({ processes }) => processes.size.toLocaleString('en'),
      class: 'number',
      by: ({ processes }) => processes.size,
    },
    { title: 'Policies', width: 'minmax(8rem, 0.4fr)', cell: ({ policies }) => [...policies].join(', ') },
    { title: 'First', width: '7.5rem', cell: ({ first }) => clock(first), class: 'code', by: ({ first }) => first },
    { title: 'Last', width: '7.5rem', cell: ({ last }) => clock(last), class: 'code', by: ({ last }) => last },
  ];
}
