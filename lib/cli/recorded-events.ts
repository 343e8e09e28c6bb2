/** Prints recorded events: `polytrace read`, `polytrace report FILE` and `polytrace getevents --input`. */
import type { ClientEvent } from '../protocol/index.js';
import { clientPrinter, outputHandlers } from './agent-events.js';
import { ClientStop } from './client-stop.js';
import { OUTPUT_LOST, POLICY_ERRORS, SUCCESS, type Context } from './context.js';
import { EventLineParser } from './event-lines.js';
import type { ClientOptions } from './events-source.js';
import { checkNotJson } from './json-options.js';
import { printMessage } from './output.js';
import { standardOutput, type EventDestination } from './printer.js';
import { readRecordedLines } from './recorded-lines.js';
import type { RecordedLine } from '../recording/lines.js';

export interface RecordedOptions extends ClientOptions {
  /** True if the command waits for more lines of the last file. */
  readonly follow?: boolean;
  /** Nanoseconds since 1970. Earlier events are left out. */
  readonly since?: bigint;
}

interface RecordedDestination extends EventDestination<ClientEvent> {
  /** Called for each line that is not an event. */
  readonly onInvalidLine: () => void;
}

/**
 * Prints the recorded events of the files, one file after the other. `-` is standard input. A file has JSON lines or is
 * a recording. A line that is not an event is reported and skipped.
 */
export function printRecordedEvents(
  paths: readonly string[],
  options: RecordedOptions,
  context: Context,
  target?: RecordedDestination,
): Promise<number> {
  const { stdin } = context;
  const sources = paths.map((path, i): EventLines => {
    const follow = options.follow === true && i === paths.length - 1;
    return { name: path, read: (signal) => readRecordedLines(path, { stdin, follow, signal }) };
  });
  return printEventLines(sources, options, context, target);
}

/** Lines with events: a file, or the stream of a fleet. */
export interface EventLines {
  readonly name: string;
  /** The lines are known to be JSON. */
  readonly isStream?: boolean;
  readonly read: (signal: AbortSignal) => AsyncIterable<readonly RecordedLine[]>;
}

/** Prints the events of lines, one source after the other. */
export async function printEventLines(
  sources: readonly EventLines[],
  options: RecordedOptions,
  context: Context,
  target?: RecordedDestination,
): Promise<number> {
  if (options.output !== 'json') checkNotJson(options);
  const { printer, open } = target ?? standardOutput(clientPrinter(options, context), context);
  const stop = new ClientStop(context, options.duration);
  const output = open(outputHandlers(context, stop));
  let invalidLines = 0;
  const onError = (text: string | undefined): void => {
    invalidLines += 1;
    target?.onInvalidLine();
    if (text !== undefined) printMessage(context, text);
  };
  try {
    const events = new RecordedEvents(sources, options, context);
    await output.write(printer.start);
    for await (const batch of events.read(stop.signal, onError)) {
      if (!(await output.write(printer.format(batch)))) stop.request();
      if (stop.signal.aborted) break;
    }
    await output.write(printer.end());
    if (output.lostEvents > 0) return OUTPUT_LOST;
    return invalidLines === 0 ? SUCCESS : POLICY_ERRORS;
  } finally {
    stop.end();
  }
}

/** Maximum number of lines of a file that are reported one by one. */
const INVALID_LINES_MAX = 10;

/** Receives a message, or nothing when the file has more such lines than are reported. */
type OnInvalidLine = (text: string | undefined) => void;

class RecordedEvents {
  readonly #sources: readonly EventLines[];
  readonly #options: RecordedOptions;
  readonly #context: Context;
  readonly #parser: EventLineParser;
  #source: EventLines | undefined;
  #invalidLines = 0;

  constructor(sources: readonly EventLines[], options: RecordedOptions, context: Context) {
    this.#sources = sources;
    this.#options = options;
    this.#context = context;
    this.#parser = new EventLineParser(options, context, (text) => {
      if (this.#source?.isStream !== true) printMessage(context, `${this.#name}: ${text}`);
    });
  }

  get #name(): string {
    return this.#source?.name ?? '';
  }

  /** Returns the events of several lines together. */
  async *read(signal: AbortSignal, onError: OnInvalidLine): AsyncGenerator<readonly ClientEvent[], void> {
    for (const source of this.#sources) {
      if (signal.aborted) return;
      this.#source = source;
      this.#invalidLines = 0;
      this.#parser.startFile();
      for await (const lines of source.read(signal)) {
        const events = lines.map((line) => this.#parse(line, onError)).filter((event) => event !== undefined);
        if (events.length > 0) yield events;
      }
      const more = this.#invalidLines - INVALID_LINES_MAX;
      if (more > 0) printMessage(this.#context, `${this.#name}: ${more} more lines are not events`);
    }
  }

  /** Returns undefined for a line without an event that is wanted. */
  #parse(line: RecordedLine, onError: OnInvalidLine): ClientEvent | undefined {
    if (line.text?.trim() === '') return undefined;
    try {
      const event = this.#parser.parse(line);
      const { since = 0n } = this.#options;
      return event?.view !== undefined && event.view.timeNs < since ? undefined : event;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#invalidLines += 1;
      onError(
        this.#invalidLines > INVALID_LINES_MAX ? undefined : `${this.#name}:${line.number}: not an event: ${reason}`,
      );
      return undefined;
    }
  }
}
