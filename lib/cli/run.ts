/** `polytrace run`: runs a command, and says what it and its descendants did. */
import { writeSync } from 'node:fs';
import type {
  Behavior,
  RunFile,
  RunHandle,
  RunOptions,
  RunSummary,
  SummaryFormat,
  TracerEvent,
} from '../../types/index.js';
import { cannotWrite, LOCK_VIOLATED, SUCCESS, UsageError, type Context } from './context.js';
import { STANDARD_BLOCKING } from './standard-streams.js';
import { createPrinter, type Printer } from './printer.js';
import { RecordingFile } from './record.js';

export const SUMMARY_FORMATS = ['text', 'json', 'markdown', 'sarif'] as const;

export interface RunCommandOptions {
  readonly user?: string;
  readonly killRemaining?: boolean;
  readonly enforce?: boolean;
  readonly preset?: 'install' | 'build' | 'test';
  readonly allowConnect?: readonly string[];
  readonly allowWrite?: readonly string[];
  readonly denySecrets?: boolean;
  readonly lock?: string;
  readonly updateLock?: boolean;
  /** Format and file. */
  readonly summary?: readonly [(typeof SUMMARY_FORMATS)[number], string];
  readonly report?: string;
  readonly record?: string;
  readonly output?: 'compact' | 'tree';
  readonly quiet?: boolean;
  readonly btf?: string;
}

/** Writes to standard error itself: a stream of Node.js would change the terminal that the command uses. */
function writeError(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(2, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
  }
}

/** Returns the exit status of the command. A signal that ended the command ends this process, too. */
export async function runTraced(
  command: readonly string[],
  options: RunCommandOptions,
  context: Context,
): Promise<number> {
  if (options.updateLock === true && options.lock === undefined) throw new UsageError('--update-lock needs --lock');
  const printer = options.output === undefined ? undefined : livePrinter(options.output, context);
  const say = (message: string): void => writeError(`polytrace: ${message}\n`);
  const { user, btf, killRemaining, lock, updateLock, record } = options;
  const enforce = readRules(options);
  let openRecording: Promise<RecordingFile> | undefined;
  const onEvents = async (batch: readonly TracerEvent[]): Promise<void> => {
    await (await openRecording)?.write(batch);
    const text = printer?.format(batch) ?? '';
    if (text.length > 0) writeError(String(text));
  };
  try {
    const run = await context.api.run(command, {
      env: context.env,
      foreground: STANDARD_BLOCKING,
      ...(user === undefined ? {} : { user }),
      ...(btf === undefined ? {} : { btf }),
      ...(killRemaining === true ? { killRemaining } : {}),
      ...(lock === undefined ? {} : { lock }),
      ...(updateLock === true ? { updateLock } : {}),
      ...(enforce === undefined ? {} : { enforce }),
      ...(printer === undefined && record === undefined ? {} : { onEvents }),
    });
    for (const warning of run.warnings) say(warning);
    if (run.enforcement === 'kill')
      say('this kernel cannot refuse calls: a process is killed right after a call that is not allowed');
    // the descriptor, because the command may replace the file
    if (record !== undefined) {
      // the first events wait for it
      openRecording = openOutput(run, record).then(async (file) => {
        const recording = await RecordingFile.create(`/proc/self/fd/${file.fd}`, context, say, record);
        await file.close();
        return recording;
      });
      await openRecording;
    }
    const [summary, violations] = [await run.summary, await run.violations];
    writeError(printer?.end() ?? '');
    if (run.writesLock) say(`${lock ?? ''} was written`);
    if (options.quiet !== true || violations.length > 0 || wasRefused(summary)) {
      writeError(context.api.formatRunSummary(summary, 'text', violations));
    }
    await writeFiles(run, summary, violations, options, context);
    const written = (await (await openRecording)?.close()) ?? SUCCESS;
    const status = endLike(run, summary, violations);
    return status === SUCCESS ? written : status;
  } catch (error) {
    // the statuses of shells for a command that cannot be executed
    if (error instanceof Error && 'status' in error && typeof error.status === 'number') {
      say(error.message);
      return error.status;
    }
    throw error;
  }
}

/** Rejects with a UsageError. */
async function openOutput(run: RunHandle, path: string): Promise<RunFile> {
  try {
    return await run.openFile(path);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

async function writeFiles(
  run: RunHandle,
  summary: RunSummary,
  violations: readonly Behavior[],
  options: RunCommandOptions,
  { api }: Context,
): Promise<void> {
  const write = async (path: string, format: SummaryFormat): Promise<void> => {
    const text = api.formatRunSummary(summary, format, violations);
    if (path === '-') return writeError(text);
    const file = await openOutput(run, path);
    try {
      await file.writeFile(text).finally(() => file.close());
    } catch (error) {
      throw cannotWrite(path, error);
    }
  };
  if (options.summary !== undefined) await write(options.summary[1], options.summary[0]);
  if (options.report !== undefined) await write(options.report, 'html');
}

function endLike(run: RunHandle, summary: RunSummary, violations: readonly Behavior[]): number {
  const { exitCode, signal } = summary;
  if (signal !== undefined) run.endBySignal(signal);
  return exitCode === SUCCESS && (violations.length > 0 || wasRefused(summary)) ? LOCK_VIOLATED : exitCode;
}

const wasRefused = ({ behaviors }: RunSummary): boolean => behaviors.some(({ refused }) => refused === true);

/** Undefined without --enforce. */
function readRules(options: RunCommandOptions): RunOptions['enforce'] {
  const { enforce, lock, preset, allowConnect, allowWrite, denySecrets } = options;
  const rules = {
    ...(preset === undefined ? {} : { preset }),
    ...(allowConnect === undefined ? {} : { allowConnect }),
    ...(allowWrite === undefined ? {} : { allowWrite }),
    ...(denySecrets === undefined ? {} : { denySecrets }),
  };
  const isEmpty = Object.keys(rules).length === 0;
  if (enforce !== true) {
    if (isEmpty) return undefined;
    throw new UsageError('--preset, --allow-connect, --allow-write and --deny-secrets need --enforce');
  }
  if (isEmpty && lock === undefined) throw new UsageError('--enforce needs --lock, --preset or another rule');
  return isEmpty ? true : rules;
}

/** Standard output belongs to the command: events go to standard error. */
function livePrinter(output: 'compact' | 'tree', context: Context): Printer<TracerEvent> {
  const { api } = context;
  // the events are no drawing: the terminal belongs to the command
  const stdout = Object.create(context.stderr, { isTTY: { value: false } }) as Context['stdout'];
  const onError = Object.create(context, { stdout: { value: stdout } }) as Context;
  return createPrinter({ output, color: 'auto' }, onError, {
    view: (event: TracerEvent) => event,
    json: (event) => api.toJson(event),
  });
}
