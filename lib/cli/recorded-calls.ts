/** Recordings as commands read them, and the policies that are evaluated over them. */
import { isOfLibrary } from '../names/policy-library.js';
import type { CompiledPolicy, RecordedEvent, RecordingReader } from '../../types/index.js';
import { UsageError, type Context } from './context.js';
import { chooseKernel, type KernelOptions } from './kernel.js';
import { recordedLines } from './recorded-lines.js';

/** A first pass: which hooks were recorded decides which of them stands for a hook of a policy. */
export async function readHooks(path: string, context: Context): Promise<RecordingReader> {
  if (path === '-') throw new UsageError('a recording is read twice, so it must be a file');
  const reader = context.api.recordingReader();
  let isFirst = true;
  for await (const { text = '' } of linesOf(path, context)) {
    if (!isFirst && !text.startsWith('{"hook":')) continue;
    isFirst = false;
    read(reader, text, context, () => undefined);
  }
  if (isFirst) throw new UsageError(`${path} is empty: no recording`);
  return reader;
}

/** The events of a recording. `onMistake` gets a line for each line that is none. */
export async function* recordedItems(
  path: string,
  context: Context,
  onMistake: (text: string) => void,
): AsyncGenerator<RecordedEvent, void> {
  const reader = context.api.recordingReader();
  for await (const { text, number } of linesOf(path, context)) {
    if (text?.trim() === '') continue;
    const item = read(reader, text, context, (reason) => onMistake(`${path}:${number}: ${reason}`));
    if (item !== undefined) yield item;
  }
}

function read(
  reader: RecordingReader,
  text: string | undefined,
  { api }: Context,
  onMistake: (reason: string) => void,
): RecordedEvent | undefined {
  try {
    if (text !== undefined) return reader.read(text);
    onMistake('RECORDING_INVALID: the line is too long');
  } catch (error) {
    // without the header, nothing that follows is a recording
    if (!(error instanceof api.PolytraceError) || reader.architecture === undefined) throw error;
    onMistake(`${error.code}: ${error.message}`);
  }
  return undefined;
}

async function* linesOf(path: string, { stdin }: Context): ReturnType<typeof recordedLines> {
  try {
    yield* recordedLines(path, { stdin, follow: false, signal: new AbortController().signal });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`cannot read ${path}: ${code}`);
  }
}

/** The policies, for the machine that made the recording. */
export function compiled(
  policies: readonly string[],
  options: KernelOptions,
  { architecture = 'x64' }: RecordingReader,
  context: Context,
): CompiledPolicy[] {
  const { api } = context;
  const { kernel } = chooseKernel(options, context);
  const files = policies.flatMap((path) => (isOfLibrary(path) ? [path] : api.expandPolicyPaths(path)));
  return files.map((file) =>
    api.compilePolicy(api.loadPolicyFile(file), { file, architecture, ...(kernel === undefined ? {} : { kernel }) }),
  );
}
