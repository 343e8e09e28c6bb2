/** Splits the bytes of recorded events into lines. Compressed bytes are recognized by their content. */
import { pipeline, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';

/** The longest line that is read, in UTF-16 code units. An event with all arguments of its process is shorter. */
const LINE_MAX = 4 * 1024 * 1024;

export interface RecordedLine {
  /** Undefined: the line is too long. */
  readonly text: string | undefined;
  /** The first line of a file is 1. */
  readonly number: number;
}

/** Marks the start of a new file: the followed file has been replaced or truncated. */
export const NEXT_FILE = Symbol();

/** Splits chunks into lines, and returns those of a chunk together. The last line needs no newline. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array | typeof NEXT_FILE>,
): AsyncGenerator<readonly RecordedLine[], void> {
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
  for await (const chunk of chunks) {
    if (chunk === NEXT_FILE) {
      if (rest !== '' || isTooLong) yield [takeLine(decoder.end())];
      decoder = new StringDecoder();
      number = 0;
      continue;
    }
    const [first = '', ...others] = decoder.write(toBuffer(chunk)).split('\n');
    const last = others.pop();
    if (last === undefined) {
      rest += first;
    } else {
      const lines = [first, ...others].map(takeLine);
      rest = last;
      yield lines;
    }
    if (rest.length > LINE_MAX) {
      isTooLong = true;
      rest = '';
    }
  }
  if (rest !== '' || isTooLong) yield [takeLine(decoder.end())];
}

const GZIP_MAGIC = [0x1f, 0x8b];

/** True if a file that begins with these bytes is compressed. */
export function isGzip(start: Uint8Array): boolean {
  return GZIP_MAGIC.every((byte, i) => start[i] === byte);
}

/** Decompresses the bytes if they are compressed. An error has the code of zlib, such as `Z_BUF_ERROR`. */
export async function* decompressChunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  try {
    while (start.length < GZIP_MAGIC.length) {
      const next: IteratorResult<Uint8Array, unknown> = await iterator.next();
      if (next.done === true) break;
      start = Buffer.concat([start, next.value]);
    }
    const all = prependChunk(start, iterator);
    // pipeline() destroys both streams when one of them ends early. Its error is also that of the iteration.
    yield* isGzip(start) ? pipeline(Readable.from(all), createGunzip(), () => undefined) : all;
  } finally {
    await iterator.return?.();
  }
}

async function* prependChunk(start: Uint8Array, others: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  if (start.length > 0) yield start;
  for (;;) {
    const next: IteratorResult<Uint8Array, unknown> = await others.next();
    if (next.done === true) return;
    yield next.value;
  }
}

function toBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** True for the first line of a recording. Other lines of events are JSON lines, as of `-o json`. */
export function isRecordingHeader(line: string): boolean {
  return line.startsWith('{"polytrace":');
}
