/** The columns that several tracers have, and columns of fields. */
import { formatBytes, formatDuration, baseName } from './values.js';
import type { FieldValue, Row, RowColumn } from './tracer.js';

export const TIME: RowColumn = {
  title: 'TIME',
  width: 8,
  cell: ({ time }, isWide) => time.slice(11, isWide ? 23 : 19),
};
export const PID: RowColumn = {
  title: 'PID',
  width: 7,
  cell: ({ process }) => (process === undefined ? '-' : String(process.pid)),
};
export const PROCESS: RowColumn = {
  title: 'PROCESS',
  width: 14,
  cell: ({ process }, isWide) => formatBinary(process?.binary, isWide),
};
export const USER: RowColumn = {
  title: 'USER',
  width: 8,
  wide: true,
  cell: ({ process }) => process?.user ?? String(process?.uid ?? '-'),
};
/** `NAMESPACE/POD`, or the container. */
export const CONTAINER: RowColumn = {
  title: 'CONTAINER',
  width: 16,
  wide: true,
  cell: ({ process }) =>
    process?.pod === undefined ? (process?.container ?? '-') : `${process.namespace ?? ''}/${process.pod}`,
};

/** The first columns of most tables. */
export const WHO: readonly RowColumn[] = [TIME, PID, PROCESS, USER, CONTAINER];

function formatBinary(binary: string | undefined, isWide: boolean): string {
  if (binary === undefined) return '-';
  if (binary === '') return '(unknown)';
  return isWide ? binary : baseName(binary);
}

type ColumnOptions = Pick<RowColumn, 'wide' | 'right'>;

/** A column with a field of the row. */
export function fieldColumn(title: string, width: number, name: string, options: ColumnOptions = {}): RowColumn {
  return { title, width, cell: ({ fields }) => formatField(fields[name]), ...options };
}

export function durationColumn(title: string, name: string, options: ColumnOptions = {}): RowColumn {
  return { title, width: 8, right: true, cell: ({ fields }) => formatNumber(fields[name], formatDuration), ...options };
}

export function bytesColumn(title: string, name: string, options: ColumnOptions = {}): RowColumn {
  const width = Math.max(6, title.length);
  return { title, width, right: true, cell: ({ fields }) => formatNumber(fields[name], formatBytes), ...options };
}

function formatNumber(value: FieldValue | undefined, format: (number: bigint) => string): string {
  return typeof value === 'bigint' ? format(value) : typeof value === 'number' ? format(BigInt(value)) : '-';
}

function formatField(value: FieldValue | undefined): string {
  if (value === undefined || value === '') return '-';
  return Array.isArray(value) ? value.join(' ') : String(value);
}

/** Compares rows by a number, the largest first. */
export function byField(name: string): (a: Row, b: Row) => number {
  return (a, b) => Number(b.fields[name] ?? 0) - Number(a.fields[name] ?? 0);
}
