/** Lines of recorded events: of a file, of a compressed one, of standard input, or of a file that still grows. */
import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { Context } from './context.js';

/** The longest line that is read. An event of a process with all its arguments has less. */
const LINE_MAX = 4 * 1024 * 1024;
/** How often a file is looked at that has no more lines. */
const FOLLOW_MS = 200;
const CHUNK_BYTES = 64 * 1024;

interface Line {
  /** Undefined: the line is too long. */
  readonly text: string | undefined;
  /** The first line of a file is 1. */
  readonly number: number;
}

export interface LinesOptions {
  readonly stdin: Context['stdin'];
  /** Waits for more at the end. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** `path` is `-` for standard input. A name that ends with .gz is that of a compressed file. */
export async function* recordedLines(path: string, options: LinesOptions): AsyncGenerator<Line, void> {
  let decoder = new StringDecoder();
  let rest = '';
  let isTooLong = false;
  let number = 0;
  const line = (end: string): Line => {
    const text = isTooLong ? undefined : rest + end;
    rest = '';
    isTooLong = false;
    number += 1;
    return { text, number };
  };
  for await (const chunk of chunksOf(path, options)) {
    if (options.signal.aborted) return;
    if (chunk === NEXT_FILE) {
      if (rest !== '' || isTooLong) yield line(decoder.end());
      decoder = new StringDecoder();
      number = 0;
      continue;
    }
    const [first = '', ...others] = decoder.write(chunk).split('\n');
    const last = others.pop();
    if (last === undefined) {
      rest += first;
    } else {
      yield line(first);
      for (const text of others) yield line(text);
      rest = last;
    }
    if (rest.length > LINE_MAX) {
      isTooLong = true;
      rest = '';
    }
  }
  if (rest !== '' || isTooLong) yield line(decoder.end());
}

/** The file has been replaced or emptied: another one begins. */
const NEXT_FILE = Symbol();

function chunksOf(path: string, options: LinesOptions): AsyncIterable<Buffer | typeof NEXT_FILE> {
  if (path === '-') return options.stdin as AsyncIterable<Buffer>;
  if (path.endsWith('.gz')) {
    const file = createReadStream(path);
    const unpacked = createGunzip();
    file.on('error', (error) => unpacked.destroy(error));
    return file.pipe(unpacked);
  }
  return options.follow ? growing(path, options.signal) : createReadStream(path);
}

async function* growing(path: string, signal: AbortSignal): AsyncGenerator<Buffer | typeof NEXT_FILE, void> {
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
      const change = await changeOf(file, path, position);
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

/** While a file is being replaced, there is none with the name. */
async function changeOf(file: FileHandle, path: string, read: number): Promise<'none' | 'replaced' | 'emptied'> {
  const own = await file.stat();
  const named = await stat(path).catch(() => own);
  if (named.ino !== own.ino || named.dev !== own.dev) return own.size > read ? 'none' : 'replaced';
  return own.size < read ? 'emptied' : 'none';
}
