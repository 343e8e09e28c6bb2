/** Prints what `polytrace trace` has found: rows when they come, or a table again and again. */
import { drawHistogram, type Collector, type Row, type Summary, type TracerDefinition, type TraceOptions } from '../tracers/index.js'; // prettier-ignore
import { terminalSize, terminalWidth } from './columns.js';
import type { Context } from './context.js';
import { formatRowJson, RowTable } from './row-table.js';

const CLEAR = '\u001b[H\u001b[2J';
/** Width of histograms without a terminal. */
const HISTOGRAM_COLUMNS = 80;

export interface RowFormat {
  readonly output: 'table' | 'json';
  /** Most rows of a table that is printed again and again. */
  readonly limit: number;
}

export class RowPrinter {
  readonly #definition: TracerDefinition;
  readonly #table: RowTable;
  readonly #format: RowFormat;
  readonly #context: Context;
  readonly isSummary: boolean;

  constructor(
    definition: TracerDefinition,
    options: TraceOptions,
    collector: Collector,
    format: RowFormat,
    context: Context,
  ) {
    this.#definition = definition;
    this.#format = format;
    this.#context = context;
    this.isSummary = collector.summarize !== undefined;
    this.#table = new RowTable(definition.columns(options), terminalWidth(context));
  }

  /** The titles, for rows that are printed when they come. */
  get start(): string {
    return this.isSummary || this.#format.output === 'json' ? '' : this.#table.formatTitles();
  }

  formatRows(rows: readonly Row[]): string {
    const { name } = this.#definition;
    const isJson = this.#format.output === 'json';
    return rows.map((row) => (isJson ? formatRowJson(name, row) : this.#table.formatRow(row))).join('');
  }

  /** A terminal is cleared before each table, except for the last one. */
  formatSummary({ rows, columns, histograms }: Summary, isLast: boolean): string {
    if (this.#format.output === 'json') return this.formatRows(rows);
    const { stdout } = this.#context;
    const width = terminalWidth(this.#context);
    const isLive = stdout.isTTY === true && !isLast;
    const height = isLive ? (terminalSize(stdout).rows ?? Infinity) - 3 : Infinity;
    const table = new RowTable(columns, width);
    const shown = rows.slice(0, Math.max(Math.min(this.#format.limit, height), 1));
    const hidden = rows.length - shown.length;
    const text = [
      table.formatTitles(),
      ...shown.map((row) => table.formatRow(row)),
      hidden > 0 ? `(${hidden} more)\n` : '',
      ...histograms.map((each) => `\n${drawHistogram(each, width ?? HISTOGRAM_COLUMNS)}`),
    ].join('');
    return isLive ? CLEAR + text : `${text}\n`;
  }
}
