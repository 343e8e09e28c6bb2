/** `polytrace top`: a table of event rates of policies, hooks or processes, which is updated periodically. */
import type { AgentClient } from '../grpc/client.js';
import { STOP_SIGNALS, SUCCESS, type Context } from './context.js';
import { print } from './output.js';
import { terminalSize, truncateColumns } from './columns.js';
import { escapeControls, formatTable } from '../output/terminal-text.js';

export interface TopOptions {
  readonly once?: boolean;
  readonly by: 'policies' | 'hooks' | 'processes' | 'nodes';
  readonly interval: number;
}

/** Counts events itself. An agent counts for its policies. */
export interface TopSource {
  rows(by: TopOptions['by']): Promise<readonly CountRow[]>;
}

export interface CountRow {
  readonly name: string;
  readonly matched: number;
  readonly posted: number;
  readonly lost: number;
}

const SORT_COLUMNS = ['rate', 'matched', 'posted', 'lost', 'name'] as const;
type SortColumn = (typeof SORT_COLUMNS)[number];
const VIEWS = ['policies', 'hooks', 'processes', 'nodes'] as const;
const KEYS = 'keys: r m p l n sort, v view, q quit';
/** Rows of a table that is not on a terminal. */
const ROWS_MAX = 40;
/** Below this width, a table has no room for all its numbers. */
const NARROW_COLUMNS = 60;
/** Lines of a terminal that are no rows: the titles, an empty line, the keys, and that of the cursor. */
const OTHER_LINES = 4;
/** Limit of the binaries that are counted. The least recently seen binary is removed first. */
const PROCESSES_MAX = 10_000;

export async function runTop(client: AgentClient | TopSource, options: TopOptions, context: Context): Promise<number> {
  const view = new TopView(client, options.by, options.once !== true, context.stdout);
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  for (const name of STOP_SIGNALS) context.signals.on(name, stop);
  const keys = view.isLive
    ? listenForKeys(context, (key) => (key === 'q' || key === '\u0003' ? stop() : view.handleKey(key)))
    : undefined;
  const counting = view.countProcessEvents(stopped.signal);
  try {
    await view.refresh();
    for (;;) {
      await waitForNextTable(options.interval * 1000, stopped.signal, view);
      if (stopped.signal.aborted) break;
      await view.refresh();
      await print(context.stdout, view.isLive ? `\u001b[H\u001b[2J${view.format()}` : view.format());
      if (options.once === true) break;
    }
    return SUCCESS;
  } finally {
    stopped.abort();
    keys?.();
    for (const name of STOP_SIGNALS) context.signals.off(name, stop);
    await counting;
  }
}

/** Waits for the interval, or for a key that changes the table. */
function waitForNextTable(ms: number, signal: AbortSignal, view: TopView): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(finish, ms);
    function finish(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      view.onChange = undefined;
      resolve();
    }
    signal.addEventListener('abort', finish);
    view.onChange = finish;
    if (signal.aborted) finish();
  });
}

function listenForKeys({ stdin }: Context, onKey: (key: string) => void): () => void {
  const terminal = stdin as NodeJS.ReadStream;
  const onData = (data: Buffer): void => [...data.toString()].forEach(onKey);
  terminal.setRawMode?.(true);
  terminal.on('data', onData);
  return () => {
    terminal.off('data', onData);
    terminal.setRawMode?.(false);
    terminal.pause();
  };
}

class TopView {
  readonly #client: AgentClient | TopSource;
  readonly isLive: boolean;
  readonly #processes = new Map<string, number>();
  readonly #terminal: Context['stdout'];
  #by: TopOptions['by'];
  #sort: SortColumn = 'rate';
  #before = new Map<string, CountRow>();
  #beforeAt = 0;
  #rows: readonly (CountRow & { readonly rate: number })[] = [];
  onChange: (() => void) | undefined;

  constructor(client: AgentClient | TopSource, by: TopOptions['by'], repeats: boolean, stdout: Context['stdout']) {
    this.#client = client;
    this.#by = by;
    this.#terminal = stdout;
    this.isLive = repeats && stdout.isTTY === true;
  }

  /** An agent is one node. */
  get #views(): readonly TopOptions['by'][] {
    return 'rows' in this.#client ? VIEWS : VIEWS.filter((view) => view !== 'nodes');
  }

  handleKey(key: string): void {
    const column = SORT_COLUMNS.find((each) => each.startsWith(key));
    if (column !== undefined) this.#sort = column;
    else if (key === 'v')
      this.#by = this.#views[(this.#views.indexOf(this.#by) + 1) % this.#views.length] ?? 'policies';
    else return;
    this.onChange?.();
  }

  /** Counts the events of each binary. The request asks the agent for no other field. */
  async countProcessEvents(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    if ('rows' in client || (this.#by !== 'processes' && !this.isLive)) return;
    try {
      for await (const batch of client.events({ include: ['process.binary'] }, signal, () => undefined)) {
        for (const { view } of batch) {
          if (view === undefined || !('process' in view)) continue;
          const { binary } = view.process;
          const before = this.#processes.get(binary) ?? 0;
          this.#processes.delete(binary);
          this.#processes.set(binary, before + 1);
          if (this.#processes.size > PROCESSES_MAX)
            this.#processes.delete(this.#processes.keys().next().value as string);
        }
      }
    } catch {
      // refresh() reports the same error
    }
  }

  async refresh(): Promise<void> {
    const now = performance.now();
    const rows = await this.#readRows();
    const seconds = Math.max((now - this.#beforeAt) / 1000, 0.001);
    this.#rows = rows.map((row) => {
      const before = this.#before.get(row.name)?.matched ?? row.matched;
      return { ...row, rate: Math.max(row.matched - before, 0) / seconds };
    });
    this.#before = new Map(rows.map((row) => [row.name, row]));
    this.#beforeAt = now;
  }

  async #readRows(): Promise<readonly CountRow[]> {
    const client = this.#client;
    if ('rows' in client) return client.rows(this.#by);
    if (this.#by === 'processes') {
      return [...this.#processes].map(([name, count]) => ({ name, matched: count, posted: count, lost: 0 }));
    }
    const policies = await client.policies();
    if (this.#by === 'policies')
      return policies.map(({ name, matched, posted, lost }) => ({ name, matched, posted, lost }));
    return policies.flatMap(({ name: policy, hooks }) =>
      hooks.map(({ name, matched, posted, lost }) => ({ name: `${policy}: ${name}`, matched, posted, lost })),
    );
  }

  format(): string {
    const column = this.#sort;
    const sorted = [...this.#rows].sort((a, b) =>
      column === 'name' ? a.name.localeCompare(b.name) : b[column] - a[column],
    );
    // The size of a terminal can change between two tables.
    const { isTTY = false } = this.#terminal;
    const { columns = Infinity, rows: lines } = terminalSize(this.#terminal);
    const height = this.isLive && lines !== undefined ? Math.max(lines - OTHER_LINES, 1) : ROWS_MAX;
    const isNarrow = isTTY && columns < NARROW_COLUMNS;
    const rows = sorted
      .slice(0, height)
      .map(({ name, rate, matched, posted, lost }) => [
        rate.toFixed(1),
        ...(isNarrow ? [] : [String(matched), String(posted)]),
        String(lost),
        name,
      ]);
    const head = ['RATE/S', ...(isNarrow ? [] : ['MATCHED', 'POSTED']), 'LOST', this.#by.toUpperCase()];
    const table = `${escapeControls(formatTable([head, ...rows]))}${this.isLive ? `\n${KEYS}\n` : ''}`;
    // A longer line would continue on the next one, and move the table out of the terminal.
    return isTTY && columns < Infinity
      ? table.replace(/.+/g, (line) => truncateColumns(line, Math.max(columns, 1)))
      : table;
  }
}
