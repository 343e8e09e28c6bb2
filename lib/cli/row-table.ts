/** Formats the rows of `polytrace trace` as a table that fits a terminal, and as JSON. */
import { escapeUnsafeJson, replaceRawBytes } from '../output/escape.js';
import type { FieldValue, Row, RowColumn } from '../tracers/index.js';
import { fitColumns, truncateColumns } from './columns.js';
import { columnWidths, GAP, WIDE_COLUMNS } from './event-table.js';
import { escapeControls } from '../output/terminal-text.js';

export class RowTable {
  readonly #columns: readonly RowColumn[];
  readonly #isWide: boolean;
  /** Undefined: cells are not shortened. */
  readonly #widths: readonly number[] | undefined;

  /** `width` is undefined without a terminal: all columns are shown. */
  constructor(columns: readonly RowColumn[], width: number | undefined) {
    this.#isWide = width === undefined || width >= WIDE_COLUMNS;
    this.#columns = columns
      .filter((column) => column.wide !== true || this.#isWide)
      .map((column) => ({ ...column, width: this.#preferredWidth(column) }));
    if (width !== undefined) this.#widths = columnWidths(this.#columns, width);
  }

  #preferredWidth({ title, width }: RowColumn): number {
    if (!this.#isWide) return width;
    // the time with milliseconds, the path of the program, and long last columns
    return title === 'TIME' ? 12 : title === 'PROCESS' ? Math.max(width, 20) : width;
  }

  formatTitles(): string {
    return this.#line(this.#columns.map(({ title }) => title));
  }

  formatRow(row: Row): string {
    return this.#line(this.#columns.map(({ cell }) => escapeCell(cell(row, this.#isWide))));
  }

  #line(cells: readonly string[]): string {
    const last = cells.length - 1;
    const padded = cells.map((cell, i) => {
      const column = this.#columns[i];
      const width = this.#widths?.[i] ?? Math.max(column?.width ?? 0, cell.length);
      // the last column is wider than its numbers
      if (column?.right === true) return cell.padStart(i === last ? Math.min(width, column.width) : width);
      return i === last ? truncateColumns(cell, width) : fitColumns(cell, width);
    });
    return `${padded.join(GAP).trimEnd()}\n`;
  }
}

/** Texts of processes stay readable in a cell. Line breaks and tabs are escaped like other controls. */
function escapeCell(text: string): string {
  return escapeControls(text.replace(/[\n\t]/g, (c) => (c === '\n' ? '\\n' : '\\t')));
}

/** One line of JSON with only the fields. */
export function formatFieldsJson(fields: Row['fields']): string {
  return stringify(fields);
}

/** One line of JSON. A number that JavaScript cannot represent exactly is a string. */
export function formatRowJson(tracer: string, { time, process, fields }: Row): string {
  const { source, ...known } = process ?? {};
  void source;
  const row = { tracer, time, ...(process === undefined ? {} : { process: known }), ...fields };
  return stringify(row);
}

function stringify(value: object): string {
  const json = JSON.stringify(value, (_key, each: FieldValue | object | undefined) => {
    if (typeof each === 'bigint') return Number.isSafeInteger(Number(each)) ? Number(each) : String(each);
    return typeof each === 'string' ? replaceRawBytes(each) : each;
  });
  return `${escapeUnsafeJson(json)}\n`;
}
