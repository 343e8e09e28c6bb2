/** Reads the lines of recorded events from a file, a compressed file, standard input, or a file that still grows. */
import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { UsageError, type Context } from './context.js';

/** The longest line that is read. An event with all arguments of its process is shorter. */
const LINE_MAX = 4 * 1024 * 1024;
/** Time between two reads at the end of a followed file. */
const FOLLOW_MS = 200;
const CHUNK_BYTES = 64 * 1024;

interface RecordedLine {
  /** Undefined: the line is too long. */
  readonly text: string | undefined;
  /** The first line of a file is 1. */
  readonly number: number;
}

interface ReadLinesOptions {
  readonly stdin: Context['stdin'];
  /** True if the reader waits for more lines at the end of the file. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads lines. `path` is `-` for standard input, and ends with .gz for a compressed file. Throws a UsageError if the
 * file cannot be read.
 */
export async function* readRecordedLines(path: string, options: ReadLinesOptions): AsyncGenerator<RecordedLine, void> {
  try {
    yield* readLines(path, options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`cannot read ${path}: ${code}`);
  }
}

async function* readLines(path: string, options: ReadLinesOptions): AsyncGenerator<RecordedLine, void> {
  let decoder = new StringDecoder();
  let rest = '';
  let isTooLong = false;
  let number = 0;
  const takeLine = (end: string): RecordedLine => {
    const text = isTooLong ? undefined : rest + end;
    rest = '';
    isTooLong = false;
    number += 1;
    return { text, number };
  };
  for await (const chunk of readChunks(path, options)) {
    if (options.signal.aborted) return;
    if (chunk === NEXT_FILE) {
      if (rest !== '' || isTooLong) yield takeLine(decoder.end());
      decoder = new StringDecoder();
      number = 0;
      continue;
    }
    const [first = '', ...others] = decoder.write(chunk).split('\n');
    const last = others.pop();
    if (last === undefined) {
      rest += first;
    } else {
      yield takeLine(first);
      for (const text of others) yield takeLine(text);
      rest = last;
    }
    if (rest.length > LINE_MAX) {
      isTooLong = true;
      rest = '';
    }
  }
  if (rest !== '' || isTooLong) yield takeLine(decoder.end());
}

/** Marks the start of a new file: the followed file has been replaced or truncated. */
const NEXT_FILE = Symbol();

function readChunks(path: string, options: ReadLinesOptions): AsyncIterable<Buffer | typeof NEXT_FILE> {
  if (path === '-') return options.stdin as AsyncIterable<Buffer>;
  if (path.endsWith('.gz')) {
    const file = createReadStream(path);
    const gunzip = createGunzip();
    file.on('error', (error) => gunzip.destroy(error));
    return file.pipe(gunzip);
  }
  return options.follow ? followFile(path, options.signal) : createReadStream(path);
}

async function* followFile(path: string, signal: AbortSignal): AsyncGenerator<Buffer | typeof NEXT_FILE, void> {
  let file = await open(path);
  try {
    let position = 0;
    while (!signal.aborted) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
      position += bytesRead;
      if (bytesRead > 0) {
        yield buffer.subarray(0, bytesRead);
        continue;
      }
      const change = await detectChange(file, path, position);
      if (change === 'replaced') {
        const next = await open(path);
        await file.close();
        file = next;
      }
      if (change === 'none') {
        await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
        continue;
      }
      position = 0;
      yield NEXT_FILE;
    }
  } finally {
    await file.close();
  }
}

/** A file that is being replaced may be missing for a moment. That is not a change. */
async function detectChange(file: FileHandle, path: string, read: number): Promise<'none' | 'replaced' | 'truncated'> {
  const opened = await file.stat();
  const current = await stat(path).catch(() => opened);
  if (current.ino !== opened.ino || current.dev !== opened.dev) return opened.size > read ? 'none' : 'replaced';
  return opened.size < read ? 'truncated' : 'none';
}
