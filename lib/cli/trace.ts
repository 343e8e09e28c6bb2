/** `polytrace trace`: one-command tracers. */
import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  FUNCTIONS_MAX,
  isFunctionName,
  TLS_LIBRARIES,
  TRACERS,
  type OwnOption,
  type TracerDefinition,
  type TraceOptions,
} from '../tracers/index.js';
import type { PlainEvent, PlainProcess } from '../../types/index.js';
import { SUCCESS, UsageError, type Context } from './context.js';
import { addProcessOptions, compileContainerFilters, parseTexts, processTest } from './container-options.js';
import { parseSeconds } from './event-options.js';
import { print, printMessage } from './output.js';
import { addServerOptions } from './server-options.js';
import type { TraceCommandOptions } from './trace-options.js';
import { traceEvents } from './trace-source.js';

const TRACE_HELP = `
A tracer is a policy, and a table of what a person wants to see of its events.
--show prints the policy, to change it and load it with getevents or an agent.

With --server, or when an agent runs on this machine, the agent loads the policy
until the command ends. Otherwise the command opens a tracer of its own.

Examples:
  polytrace trace open --binary nginx --failed
  polytrace trace tcp -o json --duration 60 > connections.jsonl
  polytrace trace files --interval 5
  polytrace trace slow-fs --min 50ms --pods '^db-'
  polytrace trace latency vfs_fsync_range sys_openat --once
  polytrace trace dns --show > dns.yaml
`;

/** Rows of a table that is printed again and again. */
const ROWS = 20;
const ROWS_MAX = 10_000;

export function addTraceCommand(program: Command, context: Context, done: (status: number) => void): void {
  const trace = program
    .command('trace')
    .description('Trace one thing: files, programs, connections, names, disks, …')
    .addHelpText('after', TRACE_HELP);
  for (const definition of TRACERS) {
    const command = trace
      .command(definition.name)
      .description(`Show ${definition.summary}`)
      .addOption(
        new Option('-o, --output <format>', 'format: a table, or a line of JSON for each row')
          .choices(['table', 'json'])
          .default('table'),
      )
      .option('--show [number]', 'print the policy, and do nothing; 2 is the one for other kernels', parseShow);
    addOwnOptions(command, definition.takes ?? {});
    if (definition.interval !== undefined) addTableOptions(command, definition.interval);
    addProcessOptions(command)
      .option('--labels <selector...>', 'only pods with these labels, such as app=web', parseTexts)
      .option('--duration <seconds>', 'stop after this number of seconds', parseSeconds);
    const run = async (given: TraceCommandOptions): Promise<void> => done(await runTrace(definition, given, context));
    const { argument } = definition;
    if (argument === undefined) command.action(run);
    else
      command
        .argument('<function...>', argument)
        .action(async (functions: readonly string[], given: TraceCommandOptions) => run({ ...given, functions }));
    addServerOptions(command);
  }
}

function addOwnOptions(command: Command, takes: Readonly<Partial<Record<OwnOption, string>>>): void {
  for (const [name, description] of Object.entries(takes) as [OwnOption, string][]) {
    if (name === 'minimum') command.option('--min <duration>', description, parseDuration);
    else if (name === 'library') command.option('--library <file>', description);
    else command.option(`--${name}`, description);
  }
}

function addTableOptions(command: Command, interval: number): void {
  command
    .option('--interval <seconds>', `time between two tables (default: ${interval})`, parseSeconds)
    .option('--once', 'print one table, and end')
    .option('--rows <number>', 'most rows of a table', parseRows, ROWS);
}

function parseShow(text: string): number {
  if (/^[1-9]$/.test(text)) return Number(text);
  throw new InvalidArgumentError(
    'The value must be the number of a policy: 1, 2 or 3. Write --show after the other arguments.',
  );
}

function parseRows(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= ROWS_MAX) return value;
  throw new InvalidArgumentError(`The value must be a number from 1 to ${ROWS_MAX}.`);
}

const UNITS: Readonly<Record<string, number>> = { us: 1000, ms: 1_000_000, s: 1_000_000_000 };

function parseDuration(text: string): bigint {
  const [, number, unit = 'ms'] = /^(\d{1,9}(?:\.\d{1,3})?)(us|ms|s)?$/.exec(text) ?? [];
  if (number === undefined)
    throw new InvalidArgumentError('A duration is like 500us, 10ms or 2s. A number is one of milliseconds.');
  return BigInt(Math.round(Number(number) * (UNITS[unit] ?? 1)));
}

async function runTrace(definition: TracerDefinition, given: TraceCommandOptions, context: Context): Promise<number> {
  if (definition.readsMetrics === true) refuseContainerFilters(definition, given);
  const options = toTraceOptions(definition, given, context);
  if (given.show !== undefined) {
    await print(context.stdout, choosePolicy(definition, options, given.show, context));
    return SUCCESS;
  }
  return traceEvents(definition, options, given, context);
}

/** Numbers that the kernel has added up cannot be filtered afterwards. */
function refuseContainerFilters({ name }: TracerDefinition, given: TraceCommandOptions): void {
  const option = (['containers', 'pods', 'namespaces', 'labels', 'host'] as const).find(
    (each) => given[each] !== undefined,
  );
  if (option === undefined) return;
  throw new UsageError(
    `${name} counts in the kernel, where --${option} is no filter: print its policy with --show, add a podSelector or containerSelector, and read it with \`polytrace stat\``,
  );
}

function choosePolicy(
  definition: TracerDefinition,
  options: TraceOptions,
  show: true | number,
  context: Context,
): string {
  const policies = definition.policies(options);
  const { name } = definition;
  if (policies.length === 0) return `# ${name} needs no policy: it shows what every tracer reports of processes.\n`;
  const number = show === true ? 1 : show;
  const policy = policies[number - 1];
  if (policy === undefined) throw new UsageError(`${name} has ${policies.length} policies: --show ${number} is none`);
  if (show === true && policies.length > 1)
    printMessage(context, `note: --show 2${policies.length > 2 ? ` and --show 3` : ''} print those for kernels that cannot load this one`); // prettier-ignore
  return policy;
}

/** The policy of a tracer has the process id of the command in its name, so that an agent can have several. */
function toTraceOptions(definition: TracerDefinition, given: TraceCommandOptions, context: Context): TraceOptions {
  const { pid: pids = [], binary = [], comm = [], exits, failed, all, each, min: minimumNs, show } = given;
  const binaries = [...binary, ...comm];
  const own = show === undefined ? `-${process.pid}` : '';
  return {
    pids,
    binaries,
    policyName: `trace-${definition.name}${own}`,
    isWanted: processFilter(given, context),
    ...(exits === true && { exits }),
    ...(failed === true && { failed }),
    ...(all === true && { all }),
    ...(each === true && { each }),
    ...(minimumNs !== undefined && { minimumNs }),
    ...(definition.takes?.library !== undefined && { library: findLibrary(given) }),
    ...(given.functions !== undefined && { functions: checkFunctions(given.functions) }),
  };
}

function checkFunctions(names: readonly string[]): readonly string[] {
  const wrong = names.find((name) => !isFunctionName(name));
  if (wrong !== undefined)
    throw new UsageError(`'${wrong}' is no name of a function: write NAME, sys_NAME, or /PATH:SYMBOL`);
  const all = [...new Set(names)];
  if (all.length > FUNCTIONS_MAX)
    throw new UsageError(`${all.length} functions: at most ${FUNCTIONS_MAX} are counted at a time`);
  return all;
}

function findLibrary({ library, show }: TraceCommandOptions): string {
  const found = library ?? TLS_LIBRARIES.find((path) => existsSync(path));
  if (found !== undefined) {
    if (!found.startsWith('/')) throw new UsageError(`--library ${found}: the path must begin with /`);
    return found;
  }
  if (show !== undefined) return TLS_LIBRARIES[0] as string;
  throw new UsageError('this machine has no libssl at the usual places: name the library or program with --library');
}

/** The filters of getevents, and those on the process itself. */
function processFilter(given: TraceCommandOptions, { api }: Context): (process: PlainProcess) => boolean {
  const { labels } = given;
  const filters = { ...compileContainerFilters(given), ...(labels === undefined ? {} : { labels }) };
  const isOfContainer = Object.keys(filters).length === 0 ? undefined : makeFilter(filters, api);
  const isProcess = processTest(given);
  return (process) =>
    isProcess(process.pid, process.executable, process.binary) &&
    (isOfContainer === undefined || isOfContainer({ type: 'process_exec', process } as PlainEvent));
}

function makeFilter(filters: object, api: Context['api']): (event: PlainEvent) => boolean {
  try {
    return api.eventFilter(filters);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
