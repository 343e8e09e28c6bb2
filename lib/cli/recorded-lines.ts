/** Reads the lines of recorded events from a file, a compressed file, standard input, or a file that still grows. */
import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { decompressChunks, isGzip, NEXT_FILE, splitLines, type RecordedLine } from '../recording/lines.js';
import { UsageError, type Context } from './context.js';

/** Time between two reads at the end of a followed file. */
const FOLLOW_MS = 200;
const CHUNK_BYTES = 64 * 1024;

interface ReadLinesOptions {
  readonly stdin: Context['stdin'];
  /** True if the reader waits for more lines at the end of the file. It does not wait for those of a compressed file. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads lines, several at a time. `path` is `-` for standard input. Throws a UsageError if the file cannot be read.
 */
export async function* readRecordedLines(
  path: string,
  options: ReadLinesOptions,
): AsyncGenerator<readonly RecordedLine[], void> {
  try {
    for await (const lines of splitLines(await openChunks(path, options))) {
      if (options.signal.aborted) return;
      yield lines;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`cannot read ${path}: ${code}`);
  }
}

async function openChunks(
  path: string,
  { stdin, follow, signal }: ReadLinesOptions,
): Promise<AsyncIterable<Uint8Array | typeof NEXT_FILE>> {
  if (path === '-') return decompressChunks(stdin as AsyncIterable<Buffer>);
  const isFollowed = follow && !(await isGzipFile(path));
  return isFollowed ? followFile(path, signal) : decompressChunks(createReadStream(path) as AsyncIterable<Buffer>);
}

async function isGzipFile(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return isGzip(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
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
