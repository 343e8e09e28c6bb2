/** Reads recordings for learning, several times, and each time from the start. Only one line is in memory. */
import { createReadStream } from 'node:fs';
import type { RecordedEvent, RecordedHook } from '../../types/recording.js';
import { PolytraceError } from '../errors.js';
import { hookKey } from '../recording/coverage.js';
import { decompressChunks, splitLines } from '../recording/lines.js';
import { boundedReader, recordingReader } from '../recording/reader.js';

/** Different hooks of recordings. */
const HOOKS_MAX = 10_000;

export interface RecordedHooks {
  readonly hooks: readonly RecordedHook[];
  readonly architecture: 'x64' | 'arm64' | undefined;
}

/** The hooks of all recordings, each once. */
export async function readHooks(files: readonly string[]): Promise<RecordedHooks> {
  const hooks = new Map<string, RecordedHook>();
  let architecture: RecordedHooks['architecture'];
  for (const file of files) {
    const reader = recordingReader();
    let isFirst = true;
    for await (const { text, number } of readLines(file)) {
      if (text === undefined || (!isFirst && !text.startsWith('{"hook":'))) continue;
      isFirst = false;
      withPosition(file, number, () => reader.read(text));
    }
    if (isFirst) throw new PolytraceError('RECORDING_INVALID', `${file}: the file is empty`, RECORD_HINT);
    architecture ??= reader.architecture;
    for (const hook of reader.hooks) if (hooks.size < HOOKS_MAX) hooks.set(hookKey(hook), hook);
  }
  return { hooks: [...hooks.values()], architecture };
}

const RECORD_HINT = 'make a recording with `polytrace getevents --record FILE`';

/** Throws for the first line that is no part of a recording: nothing is learned of half a file. */
export async function* readAll(files: readonly string[]): AsyncGenerator<RecordedEvent, void> {
  for (const file of files) {
    const reader = boundedReader();
    for await (const { text, number } of readLines(file)) {
      if (text === undefined) throw new PolytraceError('RECORDING_INVALID', `${file}:${number}: the line is too long`, RECORD_HINT); // prettier-ignore
      if (text.trim() === '') continue;
      const item = withPosition(file, number, () => reader.read(text));
      if (item !== undefined) yield item;
    }
  }
}

async function* readLines(
  file: string,
): AsyncGenerator<{ readonly text: string | undefined; readonly number: number }> {
  try {
    for await (const lines of splitLines(decompressChunks(createReadStream(file) as AsyncIterable<Buffer>)))
      yield* lines;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof PolytraceError || code === undefined) throw error;
    throw new PolytraceError('FILE_UNREADABLE', `cannot read ${file}: ${code}`, 'check the path and the permissions', {
      cause: error,
    });
  }
}

function withPosition<T>(file: string, number: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof PolytraceError) error.message = `${file}:${number}: ${error.message}`;
    throw error;
  }
}
