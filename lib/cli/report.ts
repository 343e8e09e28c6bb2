/** `polytrace report`: events as a page for a browser, in a file or live. */
import type { PlainEvent } from '../../types/index.js';
import type { ClientEvent, LiveReport, ReportFile, ReportRows } from './agent-api.js';
import { followAgent, printRecorded, sourceOf, type AgentEventsOptions, type RecordedOptions } from './agent-events.js';
import { loadAgentPackage } from './agent-package.js';
import { OUTPUT_LOST, UsageError, type Context } from './context.js';
import { getEvents } from './getevents.js';
import { redactorOf } from './json-options.js';
import { print, type Output } from './output.js';
import type { Printer } from './printer.js';
import { oneLine } from './text.js';

/** Events in a page: a browser shows so many without delay. */
export const REPORT_EVENTS = 100_000;
/** With more rows, browsers cannot scroll to the end. */
export const REPORT_EVENTS_MAX = 500_000;
const FILE = 'report.html';
/** Events of a live report after which processes are named again, for browsers that come later. */
const REPEAT_AFTER = 1000;

type EventsOptions = RecordedOptions & AgentEventsOptions;

export interface ReportOptions extends Omit<EventsOptions, 'output' | 'color'> {
  /** Path of the page; `-` is standard output. */
  readonly output?: string;
  readonly limit?: number;
  readonly live?: boolean;
  readonly port?: number;
}

/** Options about where the events of a live report come from. */
const SOURCE = { policy: '--policy', policyDir: '--policy-dir', server: '--server' } as const;

/** Options that only a report with `--live` has. */
const LIVE = { port: '--port', duration: '--duration', ...SOURCE } as const satisfies Partial<
  Record<keyof ReportOptions, string>
>;

export async function report(
  files: readonly string[],
  given: ReportOptions,
  version: string,
  context: Context,
): Promise<number> {
  const { output, limit, live, port, ...others } = given;
  // the formats of getevents have nothing to do with it
  const options: EventsOptions = { ...others, output: 'compact', color: 'never' };
  if (live !== true) {
    const name = nameOf(LIVE, given);
    if (name !== undefined) throw new UsageError(`${name} needs --live`);
    if (files.length === 0) throw new UsageError('name files of recorded events (- is standard input), or use --live');
    return new Report(files, options, version, context).write(output ?? FILE, limit ?? REPORT_EVENTS);
  }
  if (output !== undefined) throw new UsageError('--output and --live exclude each other');
  if (limit !== undefined)
    throw new UsageError('--limit and --live exclude each other: the page keeps the last events');
  if (files.length === 0 && options.since !== undefined) throw new UsageError('--since needs files of recorded events');
  const source = nameOf(SOURCE, given);
  if (files.length > 0 && source !== undefined) throw new UsageError(`files and ${source} exclude each other`);
  return new Report(files, options, version, context).show(port ?? 0);
}

/** The name of the first of these options that was given. */
function nameOf(
  names: Readonly<Partial<Record<keyof ReportOptions, string>>>,
  given: ReportOptions,
): string | undefined {
  return Object.entries(names).find(([key]) => given[key as keyof ReportOptions] !== undefined)?.[1];
}

/** Recorded events, for both kinds of report. */
class Recorded {
  readonly #rows: ReportRows;
  readonly #files: readonly string[];
  readonly #version: string;
  wrongLines = 0;

  constructor(rows: ReportRows, files: readonly string[], version: string) {
    this.#rows = rows;
    this.#files = files;
    this.#version = version;
  }

  printer<E>(view: (event: E) => PlainEvent | undefined): Printer<E> {
    return {
      start: '',
      text: (batch) => this.#rows.text(batch.map(view).filter((event) => event !== undefined)),
      end: () => this.#rows.end(this.#files, this.#version, this.wrongLines),
    };
  }

  readonly onWrong = (): void => {
    this.wrongLines += 1;
  };
}

class Report {
  readonly #files: readonly string[];
  readonly #options: EventsOptions;
  readonly #version: string;
  readonly #context: Context;

  constructor(files: readonly string[], options: EventsOptions, version: string, context: Context) {
    this.#files = files;
    this.#options = options;
    this.#version = version;
    this.#context = context;
  }

  async write(path: string, limit: number): Promise<number> {
    const { stdout, stderr } = this.#context;
    const agent = loadAgentPackage(this.#context);
    const rows = new agent.ReportRows({ limit, redact: redactorOf(this.#options, this.#context) });
    const recorded = new Recorded(rows, this.#files, this.#version);
    const page = new agent.ReportFile(path === '-' ? (stdout as typeof process.stdout) : path);
    const output = new PageOutput(page);
    try {
      const printer = recorded.printer(({ view }: ClientEvent) => view);
      const target = { printer, open: () => output, onWrong: recorded.onWrong };
      const status = await printRecorded(this.#files, this.#options, this.#context, target);
      if (output.failure === undefined) await page.finish();
      const kept = rows.leftOut === 0 ? '' : `; ${rows.leftOut} later events have no room (--limit, --since, --filter)`;
      if (output.failure === undefined) stderr.write(oneLine(`${rows.shown} events in ${path}${kept}`) + '\n');
      if (output.failure === undefined) return status;
      throw output.failure;
    } catch (error) {
      await page.abandon();
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof UsageError || code === undefined) throw error;
      stderr.write(oneLine(`polytrace: cannot write ${path}: ${code}`) + '\n');
      return OUTPUT_LOST;
    }
  }

  async show(port: number): Promise<number> {
    const context = this.#context;
    const agent = loadAgentPackage(context);
    const redact = redactorOf(this.#options, context);
    const rows = new agent.ReportRows({ repeatAfter: REPEAT_AFTER, redact });
    const live = await this.#open(port, () => rows.forget());
    try {
      await print(context.stdout, `${live.url}\n`);
      return await this.#follow(rows, live);
    } finally {
      await live.close();
      if (live.missed > 0) context.stderr.write(`browsers have missed ${live.missed} events\n`);
    }
  }

  async #open(port: number, onMissed: () => void): Promise<LiveReport> {
    try {
      return await loadAgentPackage(this.#context).LiveReport.open({ port, onMissed });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      throw new UsageError(`cannot use port ${port} on 127.0.0.1: ${code}`);
    }
  }

  /** A recorded file has an end, but its readers have not. */
  async #follow(rows: ReportRows, live: LiveReport): Promise<number> {
    const context = this.#context;
    const files = this.#files;
    const recorded = new Recorded(rows, files, this.#version);
    const open = (): Output => new LiveOutput(live);
    const ofClient = { printer: recorded.printer(({ view }: ClientEvent) => view), open, onWrong: recorded.onWrong };
    if (files.length > 0) {
      const stop = stopOf(context);
      const status = await printRecorded(files, this.#options, context, ofClient);
      await stop;
      return status;
    }
    const source = sourceOf(this.#options, context);
    if (source.from === 'agent') return followAgent(source.server, this.#options, context, ofClient);
    return getEvents(this.#options, context, { printer: recorded.printer((event: PlainEvent) => event), open });
  }
}

function stopOf({ signals }: Context): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) signals.once(name, () => resolve());
  });
}

class LiveOutput implements Output {
  readonly #live: LiveReport;
  readonly lost = 0;

  constructor(live: LiveReport) {
    this.#live = live;
  }

  write(text: string): Promise<boolean> {
    this.#live.write(text);
    return Promise.resolve(true);
  }
}

/** After a failure, the command ends. */
class PageOutput implements Output {
  readonly #page: ReportFile;
  readonly lost = 0;
  failure: Error | undefined;

  constructor(page: ReportFile) {
    this.#page = page;
  }

  async write(text: string): Promise<boolean> {
    try {
      if (text !== '') await this.#page.write(text);
      return true;
    } catch (error) {
      this.failure = error as Error;
      return false;
    }
  }
}
