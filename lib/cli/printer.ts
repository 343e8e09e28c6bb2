/** Events as text, in the format of `--output`: of a tracer, of an agent, or recorded ones. */
import type { PlainEvent, PlainOf, ProcessExecEvent } from '../../types/index.js';
import { safeJson } from '../output/escape.js';
import type { Context } from './context.js';
import { EventTable } from './event-table.js';
import { EventTree } from './event-tree.js';
import { compactOptions, redactorOf, type ShapeOptions } from './json-options.js';
import { MatchedProcesses } from './matched-processes.js';
import { EventOutput, type Output, type OutputHandlers } from './output.js';

export interface PrinterOptions extends ShapeOptions {
  readonly processes?: 'all' | 'matched';
}

/** Two forms of an event. An event of an agent can be one that the library does not know: it has only JSON. */
export interface Access<E> {
  readonly view: (event: E) => PlainEvent | undefined;
  readonly json: (event: E) => string;
}

export interface Printer<E> {
  /** The text before the first event. It is printed when events can come, so that it is clear that none have come yet. */
  readonly start: string;
  /** The text for these events. */
  readonly text: (batch: readonly E[]) => string;
  /** The text after the last event. */
  readonly end: () => string;
}

/** Where a command writes events. */
export interface Target<E> {
  readonly printer: Printer<E>;
  readonly open: (handlers: OutputHandlers) => Output;
}

/** Standard output. */
export function standardOutput<E>(printer: Printer<E>, context: Context): Target<E> {
  return { printer, open: (handlers) => new EventOutput(context, handlers) };
}

export function printerOf<E>(options: PrinterOptions, context: Context, access: Access<E>): Printer<E> {
  if (options.output === 'tree') return treePrinter(options, context, access);
  const { titles, line } = linesOf(options, context, access);
  const matched = options.processes === 'matched' ? new MatchedProcesses() : undefined;
  const text = (event: E): string => {
    const view = matched && access.view(event);
    return view === undefined || matched === undefined ? line(event) : matched.take(view, line(event));
  };
  return { start: titles, text: (batch) => batch.map(text).join(''), end: () => '' };
}

interface Lines<E> {
  readonly titles: string;
  readonly line: (event: E) => string;
}

function linesOf<E>(options: PrinterOptions, context: Context, access: Access<E>): Lines<E> {
  switch (options.output) {
    case 'json':
      return { titles: '', line: jsonLines(options, access) };
    case 'table':
      return tableLines(options, context, access);
    default:
      return { titles: '', line: compactLines(options, context, access) };
  }
}

function jsonLines<E>({ pretty }: PrinterOptions, { json }: Access<E>): (event: E) => string {
  if (pretty !== true) return (event) => `${json(event)}\n`;
  return (event) => `${safeJson(JSON.stringify(JSON.parse(json(event)), null, 2))}\n`;
}

function compactLines<E>(options: PrinterOptions, context: Context, access: Access<E>): (event: E) => string {
  const compact = compactOptions(options, context);
  return (event) => {
    const view = access.view(event);
    return view === undefined ? '' : `${context.api.formatCompact(view, compact)}\n`;
  };
}

/** With `--processes matched`, a row is made before it is known whether it is shown. */
function tableLines<E>(options: PrinterOptions, context: Context, access: Access<E>): Lines<E> {
  const table = new EventTable(options.fields, widthOf(context));
  const redact = redactorOf(options, context);
  const line = (event: E): string => {
    const view = access.view(event);
    if (view === undefined) return '';
    const summary = once(() => context.api.summaryOf(view, { redact }));
    return table.row({ event: view, json: () => access.json(event), summary });
  };
  return { titles: table.titles(), line };
}

/** Time between two drawings of the tree. */
const DRAW_MS = 200;
const CLEAR = '\u001b[H\u001b[2J';

const NO_EVENT = { time: '', timeNs: 0n, nodeName: '', tid: 0, ancestors: [] } as const;

/** On a terminal, the last lines of the tree are drawn when it has changed. Elsewhere, the tree is printed at the end. */
function treePrinter<E>(options: PrinterOptions, context: Context, access: Access<E>): Printer<E> {
  const { api, stdout } = context;
  const redact = redactorOf(options, context);
  const tree = new EventTree({
    matchedOnly: options.processes === 'matched',
    argumentsOf: (process) => {
      const start: PlainOf<ProcessExecEvent> = { ...NO_EVENT, type: 'process_exec', process };
      return api.summaryOf(start, { redact }).detail;
    },
  });
  const drawing = (): string => {
    const lines = tree.text(widthOf(context)).split('\n');
    return CLEAR + lines.slice(-(stdout.rows ?? lines.length)).join('\n');
  };
  const isLive = stdout.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  return {
    start: '',
    text: (batch) => {
      for (const event of batch) {
        const view = access.view(event);
        if (view !== undefined) tree.add(view, () => api.summaryOf(view, { redact }));
      }
      if (isLive) {
        timer ??= setTimeout(() => {
          timer = undefined;
          stdout.write(drawing());
        }, DRAW_MS);
      }
      return '';
    },
    end: () => {
      clearTimeout(timer);
      return (isLive ? CLEAR : '') + tree.text(widthOf(context));
    },
  };
}

/** Columns of the terminal. Without one, those that COLUMNS says, or none. */
function widthOf({ stdout, env }: Context): number | undefined {
  if (stdout.isTTY === true) return stdout.columns;
  const given = Number(env['COLUMNS']);
  return Number.isInteger(given) && given > 0 ? given : undefined;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
