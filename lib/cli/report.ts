/** `polytrace report`: events as a page for a browser, in a file or live. */
import type { PlainEvent } from '../../types/index.js';
import type { ClientEvent } from '../protocol/index.js';
import type { LiveReport, ReportFile, ReportRows } from '../report/index.js';
import { followAgent } from './agent-events.js';
import { followFleet } from './fleet-events.js';
import { FLEET_OPTIONS } from './fleet-options.js';
import { OUTPUT_LOST, OutputError, STOP_SIGNALS, UsageError, type Context } from './context.js';
import { chooseSource, findGivenOption, type AgentEventsOptions } from './events-source.js';
import { getEvents } from './getevents.js';
import { createRedactor } from './json-options.js';
import { loadReport } from '../report/load.js';
import { print, type Output } from './output.js';
import type { Printer } from './printer.js';
import { printRecordedEvents, type RecordedOptions } from './recorded-events.js';
import { toOneLine } from '../output/terminal-text.js';

/** Default limit of the events in a page. A browser shows this number without delay. */
export const REPORT_EVENTS_DEFAULT = 100_000;
/** Largest limit. With more rows, browsers cannot scroll to the end. */
export const REPORT_EVENTS_MAX = 500_000;
const DEFAULT_FILE = 'report.html';
/** Number of events after which a live report sends processes again, for browsers that connect later. */
const REPEAT_AFTER = 1000;

type EventsOptions = RecordedOptions & AgentEventsOptions;

export interface ReportOptions extends Omit<EventsOptions, 'output' | 'color'> {
  /** Path of the page; `-` is standard output. */
  readonly output?: string;
  readonly limit?: number;
  readonly live?: boolean;
  readonly port?: number;
}

/** Options that choose the source of a live report. */
const SOURCE_OPTIONS = { policy: '--policy', policyDir: '--policy-dir', server: '--server' } as const;

/** Options that need `--live`. */
const LIVE_OPTIONS = { port: '--port', duration: '--duration', ...SOURCE_OPTIONS } as const satisfies Partial<
  Record<keyof ReportOptions, string>
>;

export async function makeReport(
  files: readonly string[],
  given: ReportOptions,
  version: string,
  context: Context,
): Promise<number> {
  const { output, limit, live, port, ...others } = given;
  // a report does not use the output formats of getevents
  const options: EventsOptions = { ...others, output: 'compact', color: 'never' };
  if (live !== true) {
    const name = findGivenOption(given, LIVE_OPTIONS);
    if (name !== undefined) throw new UsageError(`${name} needs --live`);
    if (files.length === 0 && options.fleet === undefined)
      throw new UsageError('name files of recorded events (- is standard input), or use --live or --fleet');
    checkFleet(files, options);
    return new ReportCommand(files, options, version, context).write(
      output ?? DEFAULT_FILE,
      limit ?? REPORT_EVENTS_DEFAULT,
    );
  }
  if (output !== undefined) throw new UsageError('--output and --live exclude each other');
  if (limit !== undefined)
    throw new UsageError('--limit and --live exclude each other: the page keeps the last events');
  if (files.length === 0 && options.since !== undefined && options.fleet === undefined)
    throw new UsageError('--since needs files of recorded events, or --fleet');
  checkFleet(files, options);
  const source = findGivenOption(given, SOURCE_OPTIONS);
  if (files.length > 0 && source !== undefined) throw new UsageError(`files and ${source} exclude each other`);
  return new ReportCommand(files, options, version, context).show(port ?? 0);
}

/** A page in a file has the events of a fleet until now. */
function checkFleet(files: readonly string[], options: EventsOptions): void {
  const option = findGivenOption(options, FLEET_OPTIONS);
  if (options.fleet === undefined && option !== undefined) throw new UsageError(`${option} needs --fleet`);
  if (options.fleet !== undefined && files.length > 0) throw new UsageError('files and --fleet exclude each other');
}

/** Formats events as rows of a report, and counts invalid lines. */
class RowPrinter {
  readonly #rows: ReportRows;
  readonly #files: readonly string[];
  readonly #version: string;
  invalidLines = 0;

  constructor(rows: ReportRows, files: readonly string[], version: string) {
    this.#rows = rows;
    this.#files = files;
    this.#version = version;
  }

  createPrinter<E>(view: (event: E) => PlainEvent | undefined): Printer<E> {
    return {
      start: '',
      format: (batch) => this.#rows.text(batch.map(view).filter((event) => event !== undefined)),
      end: () => this.#rows.end(this.#files, this.#version, this.invalidLines),
    };
  }

  readonly onInvalidLine = (): void => {
    this.invalidLines += 1;
  };
}

class ReportCommand {
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
    const report = loadReport();
    const rows = new report.ReportRows({ limit, redact: createRedactor(this.#options, this.#context) });
    const rowPrinter = new RowPrinter(rows, this.#files, this.#version);
    const page = new report.ReportFile(path === '-' ? (stdout as typeof process.stdout) : path);
    const output = new PageOutput(page);
    try {
      const printer = rowPrinter.createPrinter(({ view }: ClientEvent) => view);
      const target = { printer, open: () => output, onInvalidLine: rowPrinter.onInvalidLine };
      const status = await this.#print(target);
      if (output.failure === undefined) await page.finish();
      const omitted =
        rows.leftOut === 0 ? '' : `; ${rows.leftOut} later events have no room (--limit, --since, --filter)`;
      if (output.failure === undefined) stderr.write(toOneLine(`${rows.shown} events in ${path}${omitted}`) + '\n');
      if (output.failure === undefined) return status;
      throw output.failure;
    } catch (error) {
      await page.abandon();
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof UsageError || code === undefined) throw error;
      if (path === '-') throw new OutputError(error as NodeJS.ErrnoException);
      stderr.write(toOneLine(`polytrace: cannot write ${path}: ${code}`) + '\n');
      return OUTPUT_LOST;
    }
  }

  /** Without `--since`, a page of a fleet has all that its stream has. */
  #print(target: Parameters<typeof followFleet>[2]): Promise<number> {
    const { since = 0n } = this.#options;
    if (this.#options.fleet === undefined)
      return printRecordedEvents(this.#files, this.#options, this.#context, target);
    return followFleet({ ...this.#options, since, follow: false }, this.#context, target);
  }

  async show(port: number): Promise<number> {
    const context = this.#context;
    const report = loadReport();
    const redact = createRedactor(this.#options, context);
    const rows = new report.ReportRows({ repeatAfter: REPEAT_AFTER, redact });
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
      return await loadReport().LiveReport.open({ port, onMissed });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      throw new UsageError(`cannot use port ${port} on 127.0.0.1: ${code}`);
    }
  }

  /** Recorded files end, but browsers still read: then the command waits for a signal. */
  async #follow(rows: ReportRows, live: LiveReport): Promise<number> {
    const context = this.#context;
    const files = this.#files;
    const rowPrinter = new RowPrinter(rows, files, this.#version);
    const open = (): Output => new LiveOutput(live);
    const target = {
      printer: rowPrinter.createPrinter(({ view }: ClientEvent) => view),
      open,
      onInvalidLine: rowPrinter.onInvalidLine,
    };
    if (files.length > 0) {
      const stopped = waitForStopSignal(context);
      const status = await printRecordedEvents(files, this.#options, context, target);
      await stopped;
      return status;
    }
    const source = chooseSource(this.#options, context);
    if (source.from === 'fleet') {
      const { since } = this.#options;
      return followFleet({ ...this.#options, follow: true, ...(since && { since }) }, context, target);
    }
    if (source.from === 'agent') return followAgent(source.server, this.#options, context, target);
    return getEvents(this.#options, context, { printer: rowPrinter.createPrinter((event: PlainEvent) => event), open });
  }
}

function waitForStopSignal({ signals }: Context): Promise<void> {
  return new Promise((resolve) => {
    for (const name of STOP_SIGNALS) signals.once(name, () => resolve());
  });
}

class LiveOutput implements Output {
  readonly #live: LiveReport;
  readonly lostEvents = 0;

  constructor(live: LiveReport) {
    this.#live = live;
  }

  write(text: string): Promise<boolean> {
    this.#live.write(text);
    return Promise.resolve(true);
  }
}

/** Writes rows to the file of a page. The command ends after a failure. */
class PageOutput implements Output {
  readonly #page: ReportFile;
  readonly lostEvents = 0;
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
