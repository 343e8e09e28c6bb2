/** Reads events from files, for programs: from JSON lines and recordings, plain or compressed with gzip. */
import { createReadStream } from 'node:fs';
import type { PlainEvent } from '../../types/events.js';
import type { ReadEventsOptions, RecordingReader } from '../../types/recording.js';
import { PolytraceError } from '../errors.js';
import { loadProtocol } from '../protocol/load.js';
import { decompressChunks, isRecordingHeader, splitLines, type RecordedLine } from './lines.js';
import { boundedReader } from './reader.js';

export async function* readEvents(
  file: string | AsyncIterable<Uint8Array>,
  { onInvalidLine }: ReadEventsOptions = {},
): AsyncGenerator<PlainEvent, void, undefined> {
  const name = typeof file === 'string' ? file : '<stream>';
  const parser = new LineParser();
  let lastLine = 0;
  try {
    for await (const lines of splitLines(decompressChunks(openFile(file)))) {
      for (const line of lines) {
        lastLine = line.number;
        const result = parseOrError(parser, line, name);
        if (result instanceof PolytraceError) {
          if (onInvalidLine === undefined) throw result;
          onInvalidLine(result);
        } else if (result !== undefined) {
          yield result;
        }
      }
    }
  } catch (error) {
    throw wrapReadError(error, name, lastLine);
  }
}

function openFile(file: string | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (typeof file === 'string') return createReadStream(file) as AsyncIterable<Buffer>;
  if (typeof (file as Partial<typeof file> | undefined)?.[Symbol.asyncIterator] === 'function') return file;
  throw new PolytraceError(
    'BAD_OPTION',
    'readEvents needs a path or a stream of bytes',
    'give the path of a file, a Readable, or another async iterable of Uint8Array',
  );
}

function parseOrError(parser: LineParser, line: RecordedLine, name: string): PlainEvent | PolytraceError | undefined {
  try {
    return parser.parse(line);
  } catch (error) {
    const [code, hint] =
      error instanceof PolytraceError
        ? [error.code, error.hint]
        : (['EVENTS_INVALID', 'give JSON lines of `-o json`, or a recording of `--record`'] as const);
    const reason = error instanceof Error ? error.message : String(error);
    return new PolytraceError(code, `${name}:${line.number}: ${reason}`, hint, { cause: error });
  }
}

/** Parses lines, and finds out if they are a recording. Recordings that were joined are read, too. */
class LineParser {
  #reader: Pick<RecordingReader, 'read'> | undefined;
  #readJson: ((line: string) => { readonly view: PlainEvent | undefined } | undefined) | undefined;

  parse({ text }: RecordedLine): PlainEvent | undefined {
    if (text === undefined) throw new Error('the line is too long');
    if (text.trim() === '') return undefined;
    if (isRecordingHeader(text)) this.#reader = boundedReader();
    if (this.#reader !== undefined) return this.#reader.read(text)?.event;
    this.#readJson ??= loadProtocol().recordedEvents({}, undefined);
    const view = this.#readJson(text)?.view;
    if (view === undefined) throw new Error('this version knows no such event');
    return view;
  }
}

/** Errors of the file system and of zlib get a code of the library. Other errors are those of the caller's stream. */
function wrapReadError(error: unknown, name: string, lastLine: number): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof PolytraceError || code === undefined) return error;
  if (code.startsWith('Z_')) {
    const message = `${name}: the compressed data is damaged after line ${lastLine}: ${code}`;
    return new PolytraceError('EVENTS_INVALID', message, 'the lines before it are complete', { cause: error });
  }
  if (syscall === undefined) return error;
  const message = `cannot read ${name}: ${code}`;
  return new PolytraceError('FILE_UNREADABLE', message, 'check the path and the permissions', { cause: error });
}
