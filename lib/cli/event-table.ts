/** `getevents -o table`: one row for each event, under titles. In a terminal, the columns share its width. */
import type { EventSummary, PlainEvent } from '../../types/index.js';
import { quoteUnsafe } from '../output/escape.js';
import { cut, fit } from './columns.js';

/** An event, and two forms of it that are made only when a column needs them. */
export interface Row {
  readonly event: PlainEvent;
  readonly json: () => string;
  readonly summary: () => EventSummary;
}

interface Column {
  readonly title: string;
  /** Columns of the terminal that it has if they are there. */
  readonly width: number;
  readonly cell: (row: Row) => string;
}

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;

const ofProcess = (cell: (event: ProcessEvent) => string) => (row: Row) =>
  row.event.type === 'lost' ? '' : cell(row.event);

/** The columns with a name of their own. `--fields` can also name a field of the JSON export. */
const COLUMNS = {
  time: { title: 'TIME', width: 12, cell: ({ event }) => event.time.slice(11, 23) },
  clock: { title: 'TIME', width: 8, cell: ({ event }) => event.time.slice(11, 19) },
  date: { title: 'DATE', width: 10, cell: ({ event }) => event.time.slice(0, 10) },
  node: { title: 'NODE', width: 16, cell: ({ event }) => words(event.nodeName) },
  type: { title: 'TYPE', width: 18, cell: ({ event }) => event.type },
  event: { title: 'EVENT', width: 10, cell: ({ summary }) => summary().label },
  pid: { title: 'PID', width: 7, cell: ofProcess(({ process }) => String(process.pid)) },
  uid: { title: 'UID', width: 5, cell: ofProcess(({ process }) => String(process.uid)) },
  user: { title: 'USER', width: 8, cell: ofProcess(({ process }) => words(process.user ?? String(process.uid))) },
  process: { title: 'PROCESS', width: 20, cell: ofProcess(({ process }) => words(process.binary) || '(unknown)') },
  parent: { title: 'PARENT', width: 14, cell: ofProcess(({ parent }) => words(baseName(parent?.binary ?? ''))) },
  pod: {
    title: 'POD',
    width: 20,
    cell: ofProcess(({ process: { pod } }) => (pod === undefined ? '' : words(`${pod.namespace}/${pod.name}`))),
  },
  container: {
    title: 'CONTAINER',
    width: 14,
    cell: ofProcess(({ process: { container } }) => words(container?.name ?? container?.id.slice(0, 12) ?? '')),
  },
  policy: { title: 'POLICY', width: 16, cell: ({ event }) => ('policyName' in event ? words(event.policyName) : '') },
  reason: { title: 'REASON', width: 20, cell: ({ summary }) => summary().reason },
  actions: { title: 'ACTIONS', width: 12, cell: ({ summary }) => summary().actions },
  detail: { title: 'DETAIL', width: 40, cell: ({ summary }) => joined(summary().actions, summary().detail) },
} as const satisfies Readonly<Record<string, Column>>;

/** Names of columns, for the help. */
export const COLUMN_NAMES = Object.keys(COLUMNS);

type Name = keyof typeof COLUMNS;

/** Columns of a terminal that is narrow, and of a wide one. */
const NARROW: readonly Name[] = ['clock', 'event', 'pid', 'process', 'detail'];
const WIDE: readonly Name[] = ['time', 'event', 'pid', 'user', 'process', 'parent', 'policy', 'detail'];
const WIDE_COLUMNS = 120;

const GAP = '  ';
/** A column of a table that has too many of them. */
const WIDTH_MIN = 4;

export class EventTable {
  readonly #columns: readonly Column[];
  /** Undefined: cells are not cut. */
  readonly #widths: readonly number[] | undefined;

  /** `width` is undefined without a terminal. A name that is no column is a path of the JSON export. */
  constructor(names: readonly string[] | undefined, width: number | undefined) {
    const usual = width === undefined || width >= WIDE_COLUMNS ? WIDE : NARROW;
    this.#columns = (names ?? usual).map((name) => (isColumn(name) ? COLUMNS[name] : fieldColumn(name)));
    if (width !== undefined) this.#widths = widthsOf(this.#columns, width);
  }

  titles(): string {
    return this.#line(this.#columns.map(({ title }) => title));
  }

  row(row: Row): string {
    return this.#line(this.#columns.map(({ cell }) => cell(row)));
  }

  #line(cells: readonly string[]): string {
    const last = cells.length - 1;
    const shown = cells.map((cell, i) => {
      const width = this.#widths?.[i];
      if (width !== undefined) return i === last ? cut(cell, width) : fit(cell, width);
      return i === last ? cell : cell.padEnd(this.#columns[i]?.width ?? 0);
    });
    return `${shown.join(GAP).trimEnd()}\n`;
  }
}

export function isColumn(name: string): name is Name {
  return Object.hasOwn(COLUMNS, name);
}

/** The usual widths. What is left of the terminal is for the last column; what is missing, the widest columns give. */
function widthsOf(columns: readonly Column[], width: number): number[] {
  const widths = columns.map((column) => column.width);
  const room = Math.max(width - GAP.length * (widths.length - 1), widths.length);
  for (;;) {
    const missing = widths.reduce((sum, each) => sum + each, 0) - room;
    const last = widths.length - 1;
    if (missing <= 0) {
      widths[last] = (widths[last] ?? 0) - missing;
      return widths;
    }
    const widest = widths.indexOf(Math.max(...widths));
    const least = Math.min(WIDTH_MIN, Math.floor(room / widths.length));
    widths[widest] = Math.max((widths[widest] ?? 0) - 1, least);
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
        .map(fieldWords)
        .join(' ');
    },
  };
}

/** A path goes through lists, so it can lead to several values. */
function fieldValues(value: unknown, [name, ...rest]: readonly string[]): unknown[] {
  if (Array.isArray(value))
    return value.flatMap((each) => fieldValues(each, name === undefined ? [] : [name, ...rest]));
  if (name === undefined) return [value];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
  return fieldValues((value as Record<string, unknown>)[name], rest);
}

function fieldWords(value: unknown): string {
  return quoteUnsafe(typeof value === 'string' ? value : JSON.stringify(value));
}

function words(text: string): string {
  return text === '' ? '' : quoteUnsafe(text);
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
