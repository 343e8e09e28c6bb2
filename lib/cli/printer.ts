/** Formats events for `--output`. The events come from a tracer, an agent or a recording. */
import type { LineFormatter, PlainEvent, PlainOf, ProcessExecEvent } from '../../types/index.js';
import { escapeUnsafeJson } from '../output/escape.js';
import { terminalWidth } from './columns.js';
import type { Context } from './context.js';
import { EventTable } from './event-table.js';
import { EventTree } from './event-tree.js';
import { compactOptions, createRedactor, type FormatOptions } from './json-options.js';
import { MatchedProcesses } from './matched-processes.js';
import { EventOutput, type Output, type OutputHandlers } from './output.js';

export interface PrinterOptions extends FormatOptions {
  readonly processes?: 'all' | 'matched';
}

/** Two representations of an event. An event of an agent has no view if its type is unknown to this version. */
export interface EventAccess<E> {
  readonly view: (event: E) => PlainEvent | undefined;
  readonly json: (event: E) => string;
  /** Returns the function that formats events of a tracer as bytes. Undefined: they come from elsewhere. */
  readonly lines?: (output: 'json' | 'compact') => LineFormatter;
}

export interface Printer<E> {
  /** The output before the first event. It is printed as soon as events can arrive. */
  readonly start: string;
  /** Formats events. Bytes are valid until the next call. */
  readonly format: (batch: readonly E[]) => string | Uint8Array;
  /** The function that formats the events, if it is one of jsonLines() or compactLines(): then no events are needed. */
  readonly lines?: LineFormatter;
  /** Returns the output after the last event. */
  readonly end: () => string;
}

/** Destination of the events of a command. */
export interface EventDestination<E> {
  readonly printer: Printer<E>;
  readonly open: (handlers: OutputHandlers) => Output;
}

export function standardOutput<E>(printer: Printer<E>, context: Context): EventDestination<E> {
  return { printer, open: (handlers) => new EventOutput(context, handlers) };
}

export function createPrinter<E>(options: PrinterOptions, context: Context, access: EventAccess<E>): Printer<E> {
  if (options.output === 'tree') return treePrinter(options, context, access);
  const { output } = options;
  const isPlain = options.pretty !== true && options.processes !== 'matched';
  if (access.lines !== undefined && output !== 'table' && isPlain) {
    const lines = access.lines(output);
    return { start: '', format: lines as Printer<E>['format'], lines, end: () => '' };
  }
  const { titles, line } = lineFormatter(options.output, options, context, access);
  const matched = options.processes === 'matched' ? new MatchedProcesses() : undefined;
  const formatEvent = (event: E): string => {
    const view = matched && access.view(event);
    return view === undefined || matched === undefined ? line(event) : matched.take(view, line(event));
  };
  return { start: titles, format: (batch) => batch.map(formatEvent).join(''), end: () => '' };
}

interface EventFormatter<E> {
  readonly titles: string;
  readonly line: (event: E) => string;
}

function lineFormatter<E>(
  output: Exclude<PrinterOptions['output'], 'tree'>,
  options: PrinterOptions,
  context: Context,
  access: EventAccess<E>,
): EventFormatter<E> {
  switch (output) {
    case 'json':
      return { titles: '', line: jsonLineFormatter(options, access) };
    case 'table':
      return tableLineFormatter(options, context, access);
    case 'compact':
      return { titles: '', line: compactLineFormatter(options, context, access) };
  }
}

function jsonLineFormatter<E>({ pretty }: PrinterOptions, { json }: EventAccess<E>): (event: E) => string {
  if (pretty !== true) return (event) => `${json(event)}\n`;
  return (event) => `${escapeUnsafeJson(JSON.stringify(JSON.parse(json(event)), null, 2))}\n`;
}

function compactLineFormatter<E>(
  options: PrinterOptions,
  context: Context,
  access: EventAccess<E>,
): (event: E) => string {
  const compact = compactOptions(options, context);
  return (event) => {
    const view = access.view(event);
    return view === undefined ? '' : `${context.api.formatCompact(view, compact)}\n`;
  };
}

function tableLineFormatter<E>(options: PrinterOptions, context: Context, access: EventAccess<E>): EventFormatter<E> {
  const table = new EventTable(options.fields, terminalWidth(context));
  const redact = createRedactor(options, context);
  const line = (event: E): string => {
    const view = access.view(event);
    if (view === undefined) return '';
    const summary = memoize(() => context.api.summarizeEvent(view, { redact }));
    return table.formatRow({ event: view, json: () => access.json(event), summary });
  };
  return { titles: table.formatTitles(), line };
}

/** Shortest time between two drawings of the tree. */
const DRAW_MS = 200;
const CLEAR = '\u001b[H\u001b[2J';

const NO_EVENT = { time: '', timeNs: 0n, nodeName: '', tid: 0, ancestors: [] } as const;

/** On a terminal, the last lines of the tree are drawn after each change. Elsewhere, the tree is printed at the end. */
function treePrinter<E>(options: PrinterOptions, context: Context, access: EventAccess<E>): Printer<E> {
  const { api, stdout } = context;
  const redact = createRedactor(options, context);
  const tree = new EventTree({
    matchedOnly: options.processes === 'matched',
    formatArguments: (process) => {
      const start: PlainOf<ProcessExecEvent> = { ...NO_EVENT, type: 'process_exec', process };
      return api.summarizeEvent(start, { redact }).detail;
    },
  });
  const drawTree = (): string => {
    const lines = tree.format(terminalWidth(context)).split('\n');
    return CLEAR + lines.slice(-(stdout.rows ?? lines.length)).join('\n');
  };
  const isLive = stdout.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  return {
    start: '',
    format: (batch) => {
      for (const event of batch) {
        const view = access.view(event);
        if (view !== undefined) tree.add(view, () => api.summarizeEvent(view, { redact }));
      }
      if (isLive) {
        timer ??= setTimeout(() => {
          timer = undefined;
          stdout.write(drawTree());
        }, DRAW_MS);
      }
      return '';
    },
    end: () => {
      clearTimeout(timer);
      return (isLive ? CLEAR : '') + tree.format(terminalWidth(context));
    },
  };
}

function memoize<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
