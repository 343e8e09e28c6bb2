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
export async function printRecordedEvents(
  paths: readonly string[],
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
    const events = new RecordedEvents(paths, options, context);
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
  readonly #paths: readonly string[];
  readonly #options: RecordedOptions;
  readonly #context: Context;
  readonly #parser: EventLineParser;
  #path = '';
  #invalidLines = 0;

  constructor(paths: readonly string[], options: RecordedOptions, context: Context) {
    this.#paths = paths;
    this.#options = options;
    this.#context = context;
    this.#parser = new EventLineParser(options, context, (text) => printMessage(context, `${this.#path}: ${text}`));
  }

  /** Returns the events of several lines together. */
  async *read(signal: AbortSignal, onError: OnInvalidLine): AsyncGenerator<readonly ClientEvent[], void> {
    const { follow = false } = this.#options;
    for (const path of this.#paths) {
      if (signal.aborted) return;
      this.#path = path;
      this.#invalidLines = 0;
      this.#parser.startFile();
      const options = { stdin: this.#context.stdin, follow: follow && path === this.#paths.at(-1), signal };
      for await (const lines of readRecordedLines(path, options)) {
        const events = lines.map((line) => this.#parse(line, onError)).filter((event) => event !== undefined);
        if (events.length > 0) yield events;
      }
      const more = this.#invalidLines - INVALID_LINES_MAX;
      if (more > 0) printMessage(this.#context, `${path}: ${more} more lines are not events`);
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
        this.#invalidLines > INVALID_LINES_MAX ? undefined : `${this.#path}:${line.number}: not an event: ${reason}`,
      );
      return undefined;
    }
  }
}
