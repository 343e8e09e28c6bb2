/** Runs a command line: its program with the options of all commands, and the exit status of each kind of error. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { formatDiagnostic } from '../errors.js';
import { escapeControls } from '../output/terminal-text.js';
import {
  CLOSED_PIPE,
  CommandError,
  KERNEL,
  NO_AGENT,
  OutputError,
  POLICY_ERRORS,
  SUCCESS,
  USAGE,
  UsageError,
  type Context,
} from './context.js';

const STATUSES = `
Exit status:
  0  success
  1  errors in a policy, a failed scenario, or an export that was changed
  2  wrong usage
  3  the kernel or the privileges do not allow it
  4  some events could not be written
  5  the agent does not answer
  6  a recording does not have what a policy asks for
  7  a traced command did something that its lock file does not have
  8  an archive has a newer policy library than the one that is used
  141  the reader of the output has closed it
`;

/** Adds commands to a program. `done` receives the exit status of the command that ran. */
type AddCommands = (program: Command, context: Context, done: (status: number) => void) => void;

/** Runs a command line and returns its exit status. Never rejects. */
export async function runProgram(args: readonly string[], context: Context, addCommands: AddCommands): Promise<number> {
  let failure: OutputError | undefined;
  const onError = (error: Error): void => void (failure ??= new OutputError(error));
  context.stdout.on('error', onError);
  try {
    const status = await runOrReport(args, context, addCommands);
    // the error of the last write is reported later than the write
    await new Promise(setImmediate);
    return status === SUCCESS && failure !== undefined ? reportError(failure, context) : status;
  } finally {
    context.stdout.off('error', onError);
  }
}

async function runOrReport(args: readonly string[], context: Context, addCommands: AddCommands): Promise<number> {
  try {
    let status = SUCCESS;
    await buildProgram(context, (result) => (status = result), addCommands).parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? SUCCESS : USAGE; // commander has printed the reason
    return reportError(error, context);
  }
}

/** Defines a program with these commands. */
export function buildProgram(context: Context, done: (status: number) => void, addCommands: AddCommands): Command {
  const program = new Command('polytrace')
    .description('Compiles TracingPolicy YAML to eBPF filters in the kernel and prints the events.')
    .version(readVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'polytrace: ')),
    })
    .showHelpAfterError('(--help shows the options)')
    .addHelpText('after', STATUSES);
  addCommands(program, context, done);
  return program;
}

export function readVersion(): string {
  const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function reportError(error: unknown, { api, stderr }: Context): number {
  const write = (text: string): void => void stderr.write(escapeControls(`${text}\n`));
  if (error instanceof UsageError) {
    write(`polytrace: ${error.message}`);
    return USAGE;
  }
  if (error instanceof CommandError) {
    write(`polytrace: error ${error.code}: ${error.message}\n    hint: ${error.hint}`);
    return error.status;
  }
  if (error instanceof OutputError) {
    if (error.status !== CLOSED_PIPE) write(`polytrace: ${error.message}`);
    return error.status;
  }
  if (error instanceof api.PolicyError) {
    for (const diagnostic of error.diagnostics) write(formatDiagnostic(diagnostic));
    return POLICY_ERRORS;
  }
  if (error instanceof api.PolytraceError) {
    write(`polytrace: error ${error.code}: ${error.message}`);
    if (error.hint !== '') write(`    hint: ${error.hint}`);
    if (!(error instanceof api.KernelError)) return POLICY_ERRORS;
    if (error.log !== undefined) write(error.log.replace(/^/gm, '    | '));
    return KERNEL;
  }
  if (error instanceof Error && 'isUnavailable' in error) {
    write(`polytrace: ${error.message}`);
    if (error.isUnavailable !== true) return POLICY_ERRORS;
    write(
      '    hint: start an agent as root (`polytrace agent --policy FILE`, or its service), or name one with --server',
    );
    return NO_AGENT;
  }
  if (error instanceof Error && 'syscall' in error) {
    write(`polytrace: ${error.message}`);
    return USAGE;
  }
  write(`polytrace: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return POLICY_ERRORS;
}
