/** Turns the lines of recorded events into events. The lines themselves say if they are a recording or JSON lines. */
import type { ClientEvent } from '../protocol/index.js';
import type { RecordingReader } from '../../types/index.js';
import { isRecordingHeader, type RecordedLine } from '../recording/lines.js';
import { eventsRequest } from './agent-events.js';
import { UsageError, type Context } from './context.js';
import type { ClientOptions } from './events-source.js';
import { jsonOptions } from './json-options.js';
import { loadProtocol } from '../protocol/load.js';

/** The formats of files, as messages name them. */
export const FORMATS = {
  jsonLines: 'JSON lines (getevents -o json)',
  recording: 'a recording (getevents --record)',
} as const;
type Format = keyof typeof FORMATS;

/** Parses the lines of one file after the other. */
export class EventLineParser {
  readonly #api: Context['api'];
  readonly #isJson: boolean;
  readonly #fromJson: (line: string) => ClientEvent | undefined;
  readonly #fromRecording: ReturnType<ReturnType<typeof loadProtocol>['recordingEvents']>;
  readonly #onFormat: (text: string) => void;
  #format: Format | undefined;
  #reader: RecordingReader | undefined;

  /** `onFormat` receives the description of what a file contains. Throws a UsageError for an invalid filter. */
  constructor(options: ClientOptions, context: Context, onFormat: (text: string) => void) {
    const { api } = context;
    const json = jsonOptions(options, context);
    const { recordedEvents, recordingEvents } = loadProtocol();
    const request = eventsRequest(options);
    this.#api = api;
    this.#isJson = options.output === 'json';
    this.#fromJson = wrapFilterError(() => recordedEvents(request, json.fields));
    this.#fromRecording = wrapFilterError(() => recordingEvents(request, (event) => api.toJson(event, json)));
    this.#onFormat = onFormat;
  }

  startFile(): void {
    this.#format = undefined;
    this.#reader = undefined;
  }

  /** Returns undefined for a line without an event, and for an event that a filter rejects. Throws an Error. */
  parse({ text, number }: RecordedLine): ClientEvent | undefined {
    // a followed file has been replaced
    if (number === 1) this.#reader = undefined;
    if (text === undefined) throw new Error('the line is too long');
    if (isRecordingHeader(text)) {
      this.#reader = this.#api.recordingReader();
      this.#setFormat('recording');
    } else if (this.#reader === undefined && text.startsWith('{')) {
      this.#setFormat('jsonLines');
    }
    if (this.#reader === undefined) return this.#parseJson(text);
    const recorded = this.#reader.read(text);
    return recorded && this.#fromRecording(recorded.event);
  }

  #setFormat(format: Format): void {
    if (format === this.#format) return;
    this.#format = format;
    this.#onFormat(FORMATS[format]);
  }

  /** JSON is printed unchanged, so an event of a later version is accepted. */
  #parseJson(text: string): ClientEvent | undefined {
    const event = this.#fromJson(text);
    if (event !== undefined && event.view === undefined && !this.#isJson)
      throw new Error('this version knows no such event');
    return event;
  }
}

/** Runs a function, and turns its error about a filter into a UsageError. */
function wrapFilterError<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
