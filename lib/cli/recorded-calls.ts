/** Reads recordings, and compiles the policies that are evaluated over them. */
import { isLibraryPolicy } from '../names/policy-library.js';
import type { CompiledPolicy, RecordedEvent, RecordingReader } from '../../types/index.js';
import { UsageError, type Context } from './context.js';
import { chooseKernel, type KernelOptions } from './kernel.js';
import { readRecordedLines } from './recorded-lines.js';
import type { RecordedLine } from '../recording/lines.js';

/** Reads the recorded hooks. The evaluation of a policy chooses among them, so they are read before the events. */
export async function readHooks(path: string, context: Context): Promise<RecordingReader> {
  if (path === '-') throw new UsageError('a recording is read twice, so it must be a file');
  const reader = context.api.recordingReader();
  let isFirst = true;
  for await (const { text = '' } of readAllLines(path, context)) {
    if (!isFirst && !text.startsWith('{"hook":')) continue;
    isFirst = false;
    readHeaderOrHook(reader, text, path, context);
  }
  if (isFirst) throw new UsageError(`${path} is empty: no recording`);
  return reader;
}

function readHeaderOrHook(reader: RecordingReader, text: string, path: string, context: Context): void {
  try {
    readLine(reader, text, context, () => undefined);
  } catch (error) {
    // the caller stops at this error, and its message names the file
    if (error instanceof context.api.PolytraceError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

/** Reads the events of a recording. `onError` receives a message for each line that is not an event. */
export async function* readRecordedEvents(
  path: string,
  context: Context,
  onError: (text: string) => void,
): AsyncGenerator<RecordedEvent, void> {
  const reader = context.api.recordingReader();
  for await (const { text, number } of readAllLines(path, context)) {
    if (text?.trim() === '') continue;
    const item = readLine(reader, text, context, (reason) => onError(`${path}:${number}: ${reason}`));
    if (item !== undefined) yield item;
  }
}

function readLine(
  reader: RecordingReader,
  text: string | undefined,
  { api }: Context,
  onError: (reason: string) => void,
): RecordedEvent | undefined {
  try {
    if (text !== undefined) return reader.read(text);
    onError('RECORDING_INVALID: the line is too long');
  } catch (error) {
    // without its header, the file is not a recording
    if (!(error instanceof api.PolytraceError) || reader.architecture === undefined) throw error;
    onError(`${error.code}: ${error.message}`);
  }
  return undefined;
}

/** Reads a file from its start to its end. */
async function* readAllLines(path: string, { stdin }: Context): AsyncGenerator<RecordedLine, void> {
  const options = { stdin, follow: false, signal: new AbortController().signal };
  for await (const lines of readRecordedLines(path, options)) yield* lines;
}

/** Compiles policies for the architecture of the machine that made the recording. */
export function compilePolicies(
  policies: readonly string[],
  options: KernelOptions,
  { architecture = 'x64' }: RecordingReader,
  context: Context,
): CompiledPolicy[] {
  const { api } = context;
  const { kernel } = chooseKernel(options, context);
  const files = policies.flatMap((path) => (isLibraryPolicy(path) ? [path] : api.expandPolicyPaths(path)));
  return files.map((file) =>
    api.compilePolicy(api.loadPolicyFile(file), { file, architecture, ...(kernel === undefined ? {} : { kernel }) }),
  );
}
