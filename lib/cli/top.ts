/** `polytrace top`: rates of policies, hooks and processes, as a table that is drawn again and again. */
import type { AgentClient } from './agent-api.js';
import { GOOD, type Context } from './context.js';
import { print } from './output.js';
import { safe, table } from './text.js';

export interface TopOptions {
  readonly once?: boolean;
  readonly by: 'policies' | 'hooks' | 'processes';
  readonly interval: number;
}

interface Row {
  readonly name: string;
  readonly matched: number;
  readonly posted: number;
  readonly lost: number;
}

const COLUMNS = ['rate', 'matched', 'posted', 'lost', 'name'] as const;
type Column = (typeof COLUMNS)[number];
const VIEWS = ['policies', 'hooks', 'processes'] as const;
const KEYS = 'keys: r m p l n sort, v view, q quit';
const ROWS = 40;
/** Processes that are counted; those that were seen least recently are forgotten. */
const PROCESSES = 10_000;

export async function top(client: AgentClient, options: TopOptions, context: Context): Promise<number> {
  const view = new TopView(client, options.by, context.stdout.isTTY === true && options.once !== true);
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) context.signals.on(name, stop);
  const keys = view.live
    ? listen(context, (key) => (key === 'q' || key === '\u0003' ? stop() : view.key(key)))
    : undefined;
  const counting = view.count(ending.signal);
  try {
    await view.read();
    for (;;) {
      await wait(options.interval * 1000, ending.signal, view);
      if (ending.signal.aborted) break;
      await view.read();
      await print(context.stdout, view.live ? `\u001b[H\u001b[2J${view.text()}` : view.text());
      if (options.once === true) break;
    }
    return GOOD;
  } finally {
    ending.abort();
    keys?.();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) context.signals.off(name, stop);
    await counting;
  }
}

/** Waits for the next table: the interval, or a key that changes it. */
function wait(ms: number, signal: AbortSignal, view: TopView): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      view.onChange = undefined;
      resolve();
    }
    signal.addEventListener('abort', end);
    view.onChange = end;
    if (signal.aborted) end();
  });
}

function listen({ stdin }: Context, onKey: (key: string) => void): () => void {
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
  readonly #client: AgentClient;
  readonly live: boolean;
  readonly #processes = new Map<string, number>();
  #by: TopOptions['by'];
  #sort: Column = 'rate';
  #before = new Map<string, Row>();
  #beforeAt = 0;
  #rows: readonly (Row & { readonly rate: number })[] = [];
  onChange: (() => void) | undefined;

  constructor(client: AgentClient, by: TopOptions['by'], live: boolean) {
    this.#client = client;
    this.#by = by;
    this.live = live;
  }

  key(key: string): void {
    const column = COLUMNS.find((each) => each.startsWith(key));
    if (column !== undefined) this.#sort = column;
    else if (key === 'v') this.#by = VIEWS[(VIEWS.indexOf(this.#by) + 1) % VIEWS.length] ?? 'policies';
    else return;
    this.onChange?.();
  }

  /** Counts the events of each binary. The agent sends no other field. */
  async count(signal: AbortSignal): Promise<void> {
    if (this.#by !== 'processes' && !this.live) return;
    try {
      for await (const batch of this.#client.events({ include: ['process.binary'] }, signal, () => undefined)) {
        for (const { view } of batch) {
          if (view === undefined || view.type === 'lost') continue;
          const { binary } = view.process;
          const before = this.#processes.get(binary) ?? 0;
          this.#processes.delete(binary);
          this.#processes.set(binary, before + 1);
          if (this.#processes.size > PROCESSES) this.#processes.delete(this.#processes.keys().next().value as string);
        }
      }
    } catch {
      // read() reports the same
    }
  }

  async read(): Promise<void> {
    const now = performance.now();
    const rows = await this.#now();
    const seconds = Math.max((now - this.#beforeAt) / 1000, 0.001);
    this.#rows = rows.map((row) => {
      const before = this.#before.get(row.name)?.matched ?? row.matched;
      return { ...row, rate: Math.max(row.matched - before, 0) / seconds };
    });
    this.#before = new Map(rows.map((row) => [row.name, row]));
    this.#beforeAt = now;
  }

  async #now(): Promise<Row[]> {
    if (this.#by === 'processes') {
      return [...this.#processes].map(([name, count]) => ({ name, matched: count, posted: count, lost: 0 }));
    }
    const policies = await this.#client.policies();
    if (this.#by === 'policies')
      return policies.map(({ name, matched, posted, lost }) => ({ name, matched, posted, lost }));
    return policies.flatMap(({ name: policy, hooks }) =>
      hooks.map(({ name, matched, posted, lost }) => ({ name: `${policy}: ${name}`, matched, posted, lost })),
    );
  }

  text(): string {
    const column = this.#sort;
    const sorted = [...this.#rows].sort((a, b) =>
      column === 'name' ? a.name.localeCompare(b.name) : b[column] - a[column],
    );
    const rows = sorted
      .slice(0, ROWS)
      .map(({ name, rate, matched, posted, lost }) => [
        rate.toFixed(1),
        String(matched),
        String(posted),
        String(lost),
        name,
      ]);
    const head = ['RATE/S', 'MATCHED', 'POSTED', 'LOST', this.#by.toUpperCase()];
    return `${safe(table([head, ...rows]))}${this.live ? `\n${KEYS}\n` : ''}`;
  }
}
