/** Converts events to the rows of a report. */
import type { PlainEvent, PlainProcess, Redactor, StackFrame } from '../../types/index.js';
import { summarizeEvent } from '../index.js';
import type { EndRow, EventRow, ProcessRow } from './row.js';
import { remoteAddresses, truncate, eventFiles, formatArgument } from './values.js';

interface RowsOptions {
  /** Maximum of events with a row. Further events are counted. Default: no limit. */
  readonly limit?: number;
  /**
   * Rows of processes are written again after this number of events, so that a reader can start in the middle.
   * Default: never.
   */
  readonly repeatAfter?: number;
  readonly redact?: Redactor | undefined;
}

type ProcessEvent = Extract<PlainEvent, { readonly process: unknown }>;

/** Maximum of ancestors of an event that get a row. */
const ANCESTORS_MAX = 64;
/** Maximum of node names in the last row. */
const NODES_MAX = 100;
const NO_EVENT = { time: '', timeNs: 0n, nodeName: '', tid: 0, ancestors: [] } as const;

export class ReportRows {
  readonly #options: Required<Omit<RowsOptions, 'redact'>> & Pick<RowsOptions, 'redact'>;
  readonly #known = new Set<string>();
  readonly #nodes = new Set<string>();
  #shown = 0;
  #sinceRepeat = 0;
  #leftOut = 0;
  #leftOutFrom = Infinity;
  #leftOutTo = -Infinity;

  constructor({ limit = Infinity, repeatAfter = Infinity, redact }: RowsOptions = {}) {
    this.#options = { limit, repeatAfter, redact };
  }

  /** Number of events that have a row. */
  get shown(): number {
    return this.#shown;
  }

  /** Number of events above the limit. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** A reader has missed rows, so the rows of processes are written again. */
  forget(): void {
    this.#known.clear();
    this.#sinceRepeat = 0;
  }

  /** Returns the rows of the events, and of processes that have no row yet. */
  text(events: readonly PlainEvent[]): string {
    return events.map((event) => this.#formatRows(event)).join('');
  }

  end(sources: readonly string[], version: string, wrongLines: number): string {
    const range = this.#leftOutFrom === Infinity ? {} : { leftOutFrom: this.#leftOutFrom, leftOutTo: this.#leftOutTo };
    return formatRow({
      kind: 'end',
      version,
      created: new Date().toISOString(),
      sources,
      nodes: [...this.#nodes],
      leftOut: this.#leftOut,
      ...range,
      wrongLines,
    });
  }

  #formatRows(event: PlainEvent): string {
    const time = Number(event.timeNs / 1000n) / 1000;
    if (this.#shown >= this.#options.limit) {
      this.#leftOut += 1;
      this.#leftOutFrom = Math.min(this.#leftOutFrom, time);
      this.#leftOutTo = Math.max(this.#leftOutTo, time);
      return '';
    }
    this.#shown += 1;
    if (this.#sinceRepeat >= this.#options.repeatAfter) this.forget();
    this.#sinceRepeat += 1;
    if (this.#nodes.size < NODES_MAX && event.nodeName !== '') this.#nodes.add(event.nodeName);
    const processes = !('process' in event) ? '' : this.#formatProcesses(event);
    return processes + formatRow(this.#toEventRow(event, time));
  }

  /** The oldest ancestor comes first, so a parent precedes its children. */
  #formatProcesses({ process, former, parent, ancestors }: ProcessEvent): string {
    let rows = '';
    for (const each of ancestors.slice(0, ANCESTORS_MAX).reverse()) rows += this.#formatNewProcess(each);
    if (parent !== undefined) rows += this.#formatNewProcess(parent);
    if (former !== undefined) rows += this.#formatNewProcess(former);
    return rows + this.#formatNewProcess(process);
  }

  /** Returns nothing for a process that has a row. */
  #formatNewProcess(process: PlainProcess): string {
    if (process.execId === '' || this.#known.has(process.execId)) return '';
    this.#known.add(process.execId);
    return formatRow(this.#toProcessRow(process));
  }

  #toProcessRow(process: PlainProcess): ProcessRow {
    const { execId, parentExecId, formerExecId, pid, uid, user, binary, cwd, startTime, flags, pod, container } =
      process;
    const { redact } = this.#options;
    const flagNames = flags.split(' ');
    const isForked = process.forked || (flagNames.includes('clone') && !flagNames.includes('execve'));
    const name = container?.name ?? container?.id.slice(0, 12);
    return {
      kind: 'process',
      id: execId,
      parent: formerExecId ?? parentExecId,
      pid,
      uid,
      ...(user === undefined ? {} : { user }),
      binary: truncate(binary),
      arguments: isForked
        ? ''
        : truncate(summarizeEvent({ ...NO_EVENT, type: 'process_exec', process }, { redact }).detail),
      cwd: truncate(cwd),
      start: startTime,
      ...(isForked ? { forked: true as const } : {}),
      ...(name === undefined ? {} : { container: name }),
      ...(pod === undefined ? {} : { pod: `${pod.namespace}/${pod.name}` }),
    };
  }

  #toEventRow(event: PlainEvent, time: number): EventRow {
    const { label, detail, actions } = summarizeEvent(event, { redact: this.#options.redact });
    const row = { kind: 'event', time, type: event.type, label, detail: truncate(detail.trim()) } as const;
    if (event.type === 'lost') return { ...row, ...optionalField('policy', event.policyName), lost: event.count };
    if (event.type === 'change') return { ...row, ...optionalField('policy', event.policyName) };
    const files = eventFiles(event);
    return {
      ...row,
      process: event.process.execId,
      ...optionalField('actions', actions),
      ...(files.length === 0 ? {} : { files }),
      ...('args' in event ? toHookFields(event) : {}),
    };
  }
}

type HookEvent = Extract<PlainEvent, { readonly args: unknown }>;

function toHookFields(event: HookEvent): Partial<EventRow> {
  const { policyName, message, args, tags, kernelStack = [], userStack = [] } = event;
  const returned =
    'return' in event && event.return !== undefined ? [['returned', formatArgument(event.return)] as const] : [];
  const values = [...args.map((each) => [argumentName(each), formatArgument(each)] as const), ...returned];
  const addresses = remoteAddresses(args);
  const stack = [...kernelStack, ...userStack].map(formatFrame);
  return {
    ...optionalField('policy', policyName),
    ...optionalField('message', message ?? ''),
    ...optionalField('hook', hookName(event)),
    ...(tags.length === 0 ? {} : { tags }),
    ...(values.length === 0 ? {} : { values }),
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(stack.length === 0 ? {} : { stack }),
  };
}

function argumentName({ label, index, type }: HookEvent['args'][number]): string {
  return label === undefined || label === '' ? `${index} ${type}` : label;
}

function hookName(event: HookEvent): string {
  switch (event.type) {
    case 'process_tracepoint':
      return `${event.subsystem}/${event.event}`;
    case 'process_uprobe':
      return truncate(`${event.path}:${event.symbol}`);
    case 'process_usdt':
      return truncate(`${event.path}:${event.provider}:${event.name}`);
    case 'process_kprobe':
    case 'process_lsm':
      return event.functionName;
  }
}

function formatFrame({ address, symbol, offset, module }: StackFrame): string {
  const location = symbol === undefined ? '' : `${symbol}+0x${(offset ?? 0n).toString(16)}`;
  const at = address === undefined ? '' : `0x${address.toString(16)}`;
  return truncate([at, location, module === undefined ? '' : `(${module})`].filter((part) => part !== '').join(' '));
}

function optionalField<K extends 'policy' | 'hook' | 'message' | 'actions'>(
  key: K,
  text: string,
): Partial<Record<K, string>> {
  return text === '' ? {} : ({ [key]: text } as Record<K, string>);
}

function formatRow(row: ProcessRow | EventRow | EndRow): string {
  return `${JSON.stringify(row)}\n`;
}
