/** Events as rows of a report. */
import { summaryOf, type PlainEvent, type PlainProcess, type Redactor, type StackFrame } from 'polytrace';
import type { EndRow, EventRow, ProcessRow } from './row.js';
import { addressesOf, cut, filesOf, valueOf } from './values.js';

interface RowsOptions {
  /** Events that get a row. The others are counted. Default: all. */
  readonly limit?: number;
  /** After so many events, rows of processes are written again, so that a reader can begin in the middle. Default: never. */
  readonly repeatAfter?: number;
  readonly redact?: Redactor | undefined;
}

type ProcessEvent = Exclude<PlainEvent, { readonly type: 'lost' }>;

/** Ancestors of an event that get a row. */
const ANCESTORS_MAX = 64;
/** Names of machines in the title. */
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

  /** Events that have a row. */
  get shown(): number {
    return this.#shown;
  }

  /** Events that had no room. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** A reader has missed rows: those of processes are written again. */
  forget(): void {
    this.#known.clear();
    this.#sinceRepeat = 0;
  }

  /** Returns the rows of the events, and of the processes that were in no event before. */
  text(events: readonly PlainEvent[]): string {
    return events.map((event) => this.#rows(event)).join('');
  }

  end(sources: readonly string[], version: string, wrongLines: number): string {
    const range = this.#leftOutFrom === Infinity ? {} : { leftOutFrom: this.#leftOutFrom, leftOutTo: this.#leftOutTo };
    return line({
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

  #rows(event: PlainEvent): string {
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
    const processes = event.type === 'lost' ? '' : this.#processes(event);
    return processes + line(this.#event(event, time));
  }

  /** The oldest ancestor comes first, so that a parent is known before its children. */
  #processes({ process, former, parent, ancestors }: ProcessEvent): string {
    const above = [former, parent, ...ancestors.slice(0, ANCESTORS_MAX)].filter((each) => each !== undefined);
    return [process, ...above]
      .reverse()
      .filter(({ execId }) => execId !== '' && !this.#known.has(execId))
      .map((each) => {
        this.#known.add(each.execId);
        return line(this.#process(each));
      })
      .join('');
  }

  #process(process: PlainProcess): ProcessRow {
    const { execId, parentExecId, formerExecId, pid, uid, user, binary, cwd, startTime, flags, pod, container } =
      process;
    const { redact } = this.#options;
    const words = flags.split(' ');
    const isForked = process.forked || (words.includes('clone') && !words.includes('execve'));
    const name = container?.name ?? container?.id.slice(0, 12);
    return {
      kind: 'process',
      id: execId,
      parent: formerExecId ?? parentExecId,
      pid,
      uid,
      ...(user === undefined ? {} : { user }),
      binary: cut(binary),
      arguments: isForked ? '' : cut(summaryOf({ ...NO_EVENT, type: 'process_exec', process }, { redact }).detail),
      cwd: cut(cwd),
      start: startTime,
      ...(isForked ? { forked: true as const } : {}),
      ...(name === undefined ? {} : { container: name }),
      ...(pod === undefined ? {} : { pod: `${pod.namespace}/${pod.name}` }),
    };
  }

  #event(event: PlainEvent, time: number): EventRow {
    const { label, detail, actions } = summaryOf(event, { redact: this.#options.redact });
    const row = { kind: 'event', time, type: event.type, label, detail: cut(detail.trim()) } as const;
    if (event.type === 'lost') return { ...row, ...named('policy', event.policyName), lost: event.count };
    const files = filesOf(event);
    return {
      ...row,
      process: event.process.execId,
      ...named('actions', actions),
      ...(files.length === 0 ? {} : { files }),
      ...('args' in event ? ofHook(event) : {}),
    };
  }
}

type HookEvent = Extract<PlainEvent, { readonly args: unknown }>;

function ofHook(event: HookEvent): Partial<EventRow> {
  const { policyName, message, args, tags, kernelStack = [], userStack = [] } = event;
  const returned =
    'return' in event && event.return !== undefined ? [['returned', valueOf(event.return)] as const] : [];
  const values = [...args.map((each) => [nameOf(each), valueOf(each)] as const), ...returned];
  const addresses = addressesOf(args);
  const stack = [...kernelStack, ...userStack].map(frameText);
  return {
    ...named('policy', policyName),
    ...named('message', message ?? ''),
    ...named('hook', hookName(event)),
    ...(tags.length === 0 ? {} : { tags }),
    ...(values.length === 0 ? {} : { values }),
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(stack.length === 0 ? {} : { stack }),
  };
}

function nameOf({ label, index, type }: HookEvent['args'][number]): string {
  return label === undefined || label === '' ? `${index} ${type}` : label;
}

function hookName(event: HookEvent): string {
  switch (event.type) {
    case 'process_tracepoint':
      return `${event.subsystem}/${event.event}`;
    case 'process_uprobe':
      return cut(`${event.path}:${event.symbol}`);
    case 'process_usdt':
      return cut(`${event.path}:${event.provider}:${event.name}`);
    default:
      return event.functionName;
  }
}

function frameText({ address, symbol, offset, module }: StackFrame): string {
  const place = symbol === undefined ? '' : `${symbol}+0x${(offset ?? 0n).toString(16)}`;
  const at = address === undefined ? '' : `0x${address.toString(16)}`;
  return cut([at, place, module === undefined ? '' : `(${module})`].filter((part) => part !== '').join(' '));
}

function named<K extends 'policy' | 'hook' | 'message' | 'actions'>(key: K, text: string): Partial<Record<K, string>> {
  return text === '' ? {} : ({ [key]: text } as Record<K, string>);
}

function line(row: ProcessRow | EventRow | EndRow): string {
  return `${JSON.stringify(row)}\n`;
}
