/** `getevents -o table`: a table with one row for each event. In a terminal, the columns share its width. */
import type { EventSummary, PlainEvent } from '../../types/index.js';
import { quoteUnsafe } from '../output/escape.js';
import { fitColumns, truncateColumns } from './columns.js';
import type { PlainProcessEvent } from './plain-event.js';

/** An event, and two representations of it that are created only when a column needs them. */
export interface EventRow {
  readonly event: PlainEvent;
  readonly json: () => string;
  readonly summary: () => EventSummary;
}

interface Column {
  readonly title: string;
  /** Preferred width, in columns of the terminal. */
  readonly width: number;
  readonly cell: (row: EventRow) => string;
}

const processCell = (cell: (event: PlainProcessEvent) => string) => (row: EventRow) =>
  !('process' in row.event) ? '' : cell(row.event);

/** The named columns. `--fields` can also name a field of the JSON export. */
const COLUMNS = {
  time: { title: 'TIME', width: 12, cell: ({ event }) => event.time.slice(11, 23) },
  clock: { title: 'TIME', width: 8, cell: ({ event }) => event.time.slice(11, 19) },
  date: { title: 'DATE', width: 10, cell: ({ event }) => event.time.slice(0, 10) },
  node: { title: 'NODE', width: 16, cell: ({ event }) => quoteCell(event.nodeName) },
  type: { title: 'TYPE', width: 18, cell: ({ event }) => event.type },
  event: { title: 'EVENT', width: 10, cell: ({ summary }) => summary().label },
  pid: { title: 'PID', width: 7, cell: processCell(({ process }) => String(process.pid)) },
  uid: { title: 'UID', width: 5, cell: processCell(({ process }) => String(process.uid)) },
  user: { title: 'USER', width: 8, cell: processCell(({ process }) => quoteCell(process.user ?? String(process.uid))) },
  process: {
    title: 'PROCESS',
    width: 20,
    cell: processCell(({ process }) => quoteCell(process.binary) || '(unknown)'),
  },
  parent: { title: 'PARENT', width: 14, cell: processCell(({ parent }) => quoteCell(baseName(parent?.binary ?? ''))) },
  pod: {
    title: 'POD',
    width: 20,
    cell: processCell(({ process: { pod } }) => (pod === undefined ? '' : quoteCell(`${pod.namespace}/${pod.name}`))),
  },
  container: {
    title: 'CONTAINER',
    width: 14,
    cell: processCell(({ process: { container } }) => quoteCell(container?.name ?? container?.id.slice(0, 12) ?? '')),
  },
  policy: {
    title: 'POLICY',
    width: 16,
    cell: ({ event }) => ('policyName' in event ? quoteCell(event.policyName) : ''),
  },
  reason: { title: 'REASON', width: 20, cell: ({ summary }) => summary().reason },
  actions: { title: 'ACTIONS', width: 12, cell: ({ summary }) => summary().actions },
  detail: { title: 'DETAIL', width: 40, cell: ({ summary }) => joinParts(summary().actions, summary().detail) },
} as const satisfies Readonly<Record<string, Column>>;

/** Names of columns, for the help. */
export const COLUMN_NAMES = Object.keys(COLUMNS);

type ColumnName = keyof typeof COLUMNS;

/** Default columns in a narrow and in a wide terminal. */
const NARROW: readonly ColumnName[] = ['clock', 'event', 'pid', 'process', 'detail'];
const WIDE: readonly ColumnName[] = ['time', 'event', 'pid', 'user', 'process', 'parent', 'policy', 'detail'];
export const WIDE_COLUMNS = 120;

export const GAP = '  ';
/** Smallest width of a column that is shortened. */
const WIDTH_MIN = 4;

export class EventTable {
  readonly #columns: readonly Column[];
  /** Undefined: cells are not shortened. */
  readonly #widths: readonly number[] | undefined;

  /** `width` is undefined without a terminal. A name that is not a column is a path of the JSON export. */
  constructor(names: readonly string[] | undefined, width: number | undefined) {
    const defaults = width === undefined || width >= WIDE_COLUMNS ? WIDE : NARROW;
    this.#columns = (names ?? defaults).map((name) => (isColumn(name) ? COLUMNS[name] : fieldColumn(name)));
    if (width !== undefined) this.#widths = columnWidths(this.#columns, width);
  }

  formatTitles(): string {
    return this.#line(this.#columns.map(({ title }) => title));
  }

  formatRow(row: EventRow): string {
    return this.#line(this.#columns.map(({ cell }) => cell(row)));
  }

  #line(cells: readonly string[]): string {
    const last = cells.length - 1;
    const padded = cells.map((cell, i) => {
      const width = this.#widths?.[i];
      if (width !== undefined) return i === last ? truncateColumns(cell, width) : fitColumns(cell, width);
      return i === last ? cell : cell.padEnd(this.#columns[i]?.width ?? 0);
    });
    return `${padded.join(GAP).trimEnd()}\n`;
  }
}

export function isColumn(name: string): name is ColumnName {
  return Object.hasOwn(COLUMNS, name);
}

/**
 * Adapts the preferred widths to the terminal. The last column takes the rest. If space is missing, the widest columns
 * shrink.
 */
export function columnWidths(columns: readonly { readonly width: number }[], width: number): number[] {
  const widths = columns.map((column) => column.width);
  const available = Math.max(width - GAP.length * (widths.length - 1), widths.length);
  for (;;) {
    const missing = widths.reduce((sum, each) => sum + each, 0) - available;
    const last = widths.length - 1;
    if (missing <= 0) {
      widths[last] = (widths[last] ?? 0) - missing;
      return widths;
    }
    const widest = widths.indexOf(Math.max(...widths));
    const minimum = Math.min(WIDTH_MIN, Math.floor(available / widths.length));
    widths[widest] = Math.max((widths[widest] ?? 0) - 1, minimum);
  }
}

function fieldColumn(path: string): Column {
  const names = path.split('.');
  return {
    title: path.toUpperCase(),
    width: Math.max(path.length, 12),
    cell: ({ event, json }) => {
      const { [event.type]: fields, ...outer } = JSON.parse(json()) as Record<string, unknown>;
      return fieldValues({ ...outer, ...(fields as object) }, names)
        .map(formatField)
        .join(' ');
    },
  };
}

/** Returns the values at a path. A path through lists can lead to several values. */
function fieldValues(value: unknown, [name, ...rest]: readonly string[]): unknown[] {
  if (Array.isArray(value))
    return value.flatMap((each) => fieldValues(each, name === undefined ? [] : [name, ...rest]));
  if (name === undefined) return [value];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
  return fieldValues((value as Record<string, unknown>)[name], rest);
}

function formatField(value: unknown): string {
  return quoteUnsafe(typeof value === 'string' ? value : JSON.stringify(value));
}

function quoteCell(text: string): string {
  return text === '' ? '' : quoteUnsafe(text);
}

function joinParts(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
