/** All commands, and their options. */
import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ContainerSourceName, EventType, RedactionFilter } from '../../types/index.js';
import { isLibraryPolicy } from '../names/policy-library.js';
import { UsageError, type Context } from './context.js';
import { addAgentCommands } from './agent-commands.js';
import { followAgent } from './agent-events.js';
import { loadAgentPackage } from './agent-package.js';
import { cleanup } from './cleanup.js';
import { CHAIN_FOLDER, verifyChain, type VerifyOptions } from './verify.js';
import {
  addFilterOptions,
  addFormatOptions,
  parseInterval,
  parseList,
  parseSeconds,
  parseSince,
} from './event-options.js';
import { chooseSource, type AgentEventsOptions } from './events-source.js';
import { followFleet } from './fleet-events.js';
import { addFleetOptions } from './fleet-options.js';
import { getEvents, type GetEventsOptions } from './getevents.js';
import { ANCESTOR_TYPES, checkFormatOptions, parseRedactionFilters } from './json-options.js';
import { addAgentCommand, addCheckCommands, addKernelOptions } from './first-commands.js';
import { addPolicyCommands, SET_HELP } from './policy-commands.js';
import { testPolicies, type TestOptions } from './policy-test.js';
import { addHooksCommand } from './hooks.js';
import { printPreflight, type PreflightOptions } from './preflight.js';
import { rebuild } from './rebuild.js';
import { makeReport, REPORT_EVENTS_DEFAULT, REPORT_EVENTS_MAX, type ReportOptions } from './report.js';
import { printRecordedEvents, type RecordedOptions } from './recorded-events.js';
import { replay, type ReplayOptions } from './replay.js';
import { runStat, type StatOptions } from './stat.js';
import { addLearnCommand } from './learn.js';
import { addLockCommands } from './lock.js';
import { runTraced, SUMMARY_FORMATS, type RunCommandOptions } from './run.js';
import { buildProgram, readVersion, runProgram } from './run-program.js';
import { addServerOptions } from './server-options.js';
import { RESULT_FORMATS } from './test-results.js';
import { addSocketsCommand } from './sockets.js';
import { addProcessesCommand } from './ps.js';
import { addTraceCommand } from './trace.js';

const GETEVENTS_HELP = `
When all hooks are attached, the command prints one line that starts with
"ready" to standard error. It then prints events to standard output until
Ctrl-C, including all events that happened before Ctrl-C. A second Ctrl-C ends
it immediately.

With --server, or when an agent runs on this machine, the events are those of
the agent. With --policy, and other options for a tracer, the command opens a
tracer of its own. Without both, it reports exec and exit of processes.

Examples:
  polytrace getevents --policy polytrace:file-monitoring
  polytrace getevents -o json --event-types process_exec --duration 10
  polytrace getevents --policy policies/ --process '^/usr/bin/' --timestamps
  polytrace getevents --fleet tls://nats:4222 --fleet-credentials reader.creds --nodes role=web --since 10m --follow
`;

const READ_HELP = `
A line that is no event is reported with its file and number, and the next one
is read; the exit status is then 1.

Examples:
  polytrace getevents -o json > events.jsonl
  polytrace read events.jsonl -o tree
  polytrace read events-1.jsonl.gz events.jsonl --since 6h --filter 'process.uid == 0'
`;

const REPORT_HELP = `
The page has everything in it: it needs no network, and no program but a
browser. With --live, the command prints an address with a secret token; who
knows it can read the events.

Examples:
  polytrace report events.jsonl
  polytrace report events-1.jsonl.gz events.jsonl --since 6h -o today.html
  polytrace report --live --policy polytrace:file-integrity
  ssh server polytrace getevents -o json | polytrace report --live -
`;

const RUN_HELP = `
The command runs as the user that called sudo, with the terminal, the signals
and the exit status that it has without run. Its descendants are followed until
their end, wherever they go. The summary is printed to standard error when the
command has ended. Files in the working folder are its own, and are not listed.

With --lock, the first run writes what the command did, and a later run lists
what is new. If the command itself has succeeded, the exit status is then 7.
The same holds for what --enforce has refused. With --enforce, the lock file,
the rules and the preset say what is allowed: everything in any of them.
A command that cannot be executed ends with 126, or 127 if it is not found.

Examples:
  sudo polytrace run -- npm ci
  sudo polytrace run --lock polytrace-lock.yaml -- npm ci
  sudo polytrace run --enforce --lock polytrace-lock.yaml -- npm ci
  sudo polytrace run --enforce --preset install --allow-connect github.com:443 -- npm ci
  sudo polytrace run --summary markdown "$GITHUB_STEP_SUMMARY" -- npm test
`;

const VERIFY_HELP = `
Without a problem, the command prints the verified lines and the events that
they report as lost. The exit status is 1 when a line is missing, changed,
repeated or in another place, and when a signature is wrong.

Examples:
  polytrace verify /var/log/polytrace/events*.json*
  polytrace verify --checkpoints node7/checkpoints.jsonl --key node7.pem node7/events*
`;

const REPLAY_HELP = `
The filters of the policies are evaluated as the kernel does it. Only recorded
calls can be judged, and only by what the recording has: other calls are listed
as unknown, with the reason, and the exit status is then 6. Starts and ends of
processes are printed as recorded. Actions are only reported.

Examples:
  polytrace getevents --policy wide.yaml --record calls.jsonl --duration 60
  polytrace replay calls.jsonl --policy narrow.yaml
`;

const TEST_HELP = `
Without --enforcement, actions are only reported. The commands of a scenario run
as root on this machine: read them before you run tests of somebody else. The
exit status is 1 when a scenario fails.

Examples:
  polytrace test policies/*.yaml --format junit > results.xml
  polytrace test polytrace:kernel --grep module
  polytrace test my-test.yaml --recorded
`;

const STAT_HELP = `
Without --policy, the numbers are those of the agent. With --policy, the command
opens a tracer of its own: other actions of the policies are only reported, and
their events are not read. What changed most in the last interval comes first.

Examples:
  polytrace stat --policy-name connections
  polytrace stat --policy bytes.yaml
  polytrace stat --policy latency.yaml --interval 10s --once -o json
`;

const BTF_HELP = 'types of this kernel, for a kernel without /sys/kernel/btf/vmlinux';

const CONTAINER_SOURCES = [
  'nri',
  'cri',
  'docker',
  'podman',
  'cgroups',
] as const satisfies readonly ContainerSourceName[];

/** Runs a command line and returns its exit status. Never rejects. */
export function runCommand(args: readonly string[], context: Context): Promise<number> {
  return runProgram(args, context, addAllCommands);
}

/** Defines all commands. `done` receives the exit status of the command that ran. */
export function buildCommandLine(context: Context, done: (status: number) => void): Command {
  return buildProgram(context, done, addAllCommands);
}

function addAllCommands(program: Command, context: Context, done: (status: number) => void): void {
  const getevents = addGeteventsCommand(program).allowExcessArguments();
  getevents.action(async (options: GetEventsOptions & AgentEventsOptions) => {
    refuseArguments(getevents.args);
    done(await runGetEvents(options, context));
  });
  addReadCommand(program).action(async (files: string[], options: RecordedOptions) => {
    done(await printRecordedEvents(files, checkOptions(options, context), context));
  });
  addVerifyCommand(program).action(async (files: string[], options: VerifyOptions) => {
    done(await verifyChain(files, options, context));
  });
  addReportCommand(program).action(async (files: string[], options: ReportOptions) => {
    done(await makeReport(files, { ...options, ...joinExpressions(options) }, readVersion(), context));
  });
  addReplayCommand(program).action(async (file: string, options: ReplayOptions) => {
    done(await replay(file, checkFormatOptions(options, context), context));
  });
  addTestCommand(program).action(async (files: string[], options: TestOptions) => {
    done(await testPolicies(files, options, context));
  });
  addAgentCommands(program, context, done);
  addAgentCommand(program, context, done);
  addFleetCommand(program).action(async (args: string[]) => {
    done(await loadAgentPackage(context).runFleet(args, context));
  });
  addStatCommand(program, context, done);
  addRunCommand(program).action(
    async (command: string[], options: RunCommandOptions & { readonly summary?: readonly string[] }) => {
      done(await runTraced(command, checkRunOptions(options), context));
    },
  );
  addLearnCommand(program, context, done);
  addLockCommands(program, context, done);
  addCheckCommands(program, context, done);
  addPolicyCommands(program, context, readVersion(), done);
  addHooksCommand(program, context, done);
  addTraceCommand(program, context, done);
  addProcessesCommand(program, context, done);
  addSocketsCommand(program, context, done);
  program
    .command('cleanup')
    .description('End the policies that a dead tracer has left in a folder, and list the removed files')
    .argument('<folder>', 'folder of --persist')
    .action(async (folder: string) => {
      done(await cleanup(folder, context));
    });
  program
    .command('preflight')
    .description('Show what this kernel and these privileges allow')
    .addOption(new Option('-o, --output <format>', 'format of the result').choices(['text', 'json']).default('text'))
    .option('--btf <file>', BTF_HELP)
    .action(async (options: PreflightOptions) => {
      done(await printPreflight(options, context));
    });
  program
    .command('rebuild')
    .description('Build the addon from the sources of this package, or list what is missing for that')
    .action(() => {
      done(rebuild(context));
    });
}

/** The first thing that people type is the file of a policy, or of events, without the option in front of it. */
function refuseArguments([first]: readonly string[]): void {
  if (first === undefined) return;
  const isRecording = /\.(jsonl|json|log)(\.gz)?$/.test(first);
  const isPolicy = /\.ya?ml$/.test(first) || isLibraryPolicy(first) || existsSync(first);
  const cure = isRecording
    ? `write \`polytrace read ${first}\``
    : isPolicy
      ? `write \`--policy ${first}\``
      : 'policies follow --policy, and --help shows the other options';
  throw new UsageError(`getevents has no argument ${first}: ${cure}`);
}

function runGetEvents(given: GetEventsOptions & AgentEventsOptions, context: Context): Promise<number> {
  const options = checkOptions(given, context);
  const source = chooseSource(options, context);
  if (source.from !== 'fleet') refuseStreamOptions(options);
  if (source.from === 'fleet') return followFleet(options, context);
  if (source.from === 'agent') return followAgent(source.server, options, context);
  return source.from === 'file' ? printRecordedEvents([source.path], options, context) : getEvents(options, context);
}

/** Files are read with `polytrace read`. */
function refuseStreamOptions({ since, follow }: AgentEventsOptions): void {
  const given = since !== undefined ? '--since' : follow === true ? '--follow' : undefined;
  if (given !== undefined) throw new UsageError(`${given} needs --fleet; \`polytrace read\` has it for files`);
}

function checkOptions<O extends GetEventsOptions>(given: O, context: Context): O {
  return { ...checkFormatOptions(given, context), ...joinExpressions(given) };
}

/** Joins `--filter` and `--cel-expression`, which are two names of one option. */
function joinExpressions({
  filter = [],
  celExpression = [],
}: Pick<GetEventsOptions, 'filter' | 'celExpression'>): Pick<GetEventsOptions, 'celExpression'> {
  const expressions = [...filter, ...celExpression];
  return expressions.length === 0 ? {} : { celExpression: expressions };
}

/** The package polytrace-agent parses all arguments that follow the command. */
function addFleetCommand(program: Command): Command {
  return program
    .command('fleet')
    .description('Policies and nodes of a fleet (package polytrace-agent); `polytrace fleet --help` shows its commands')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .argument('[options...]', 'a command, and its options');
}

function addStatCommand(program: Command, context: Context, done: (status: number) => void): void {
  addServerOptions(program.command('stat'))
    .description('Show the numbers that policies count in the kernel, again and again')
    .option(
      '--policy <file-or-folder...>',
      'policies with the action Count: files, folders, or polytrace:NAME (default: those of the agent)',
    )
    .option('--policy-name <name...>', 'show only policies with these names (metadata.name)')
    .option('--interval <time>', 'time between two tables, such as 500ms, 1s or 1m', parseInterval, 1)
    .option('--once', 'print one table after the first interval, and end')
    .addOption(new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'))
    .option('--btf <file>', BTF_HELP)
    .addHelpText('after', STAT_HELP)
    .action(async (options: StatOptions) => done(await runStat(options, context)));
}

function addGeteventsCommand(program: Command): Command {
  const command = addServerOptions(program.command('getevents'))
    .description('Print events: of the agent, of policies, or recorded ones')
    .option(
      '--policy <file-or-folder...>',
      'policies to load: files, folders with .yaml and .yml files, or polytrace:NAME, see `polytrace policies list`',
    )
    .option('--policy-dir <folder>', 'load the policies of this folder, which may be empty or missing')
    .option('--set <setting...>', SET_HELP);
  return addFilterOptions(addFormatOptions(addFleetOptions(command)))
    .option('--since <time>', 'with --fleet: begin there: 2026-01-31T12:00:00Z, or 90s, 10m, 6h, 2d ago', parseSince)
    .option('--follow', 'with --fleet and --since: go on with the events that come')
    .option('--reconnect', 'connect again when the connection to the agent is lost')
    .option('--input <file>', 'read recorded events (JSON lines, or of --record) from a file; - is standard input')
    .option(
      '--container-sources <name...>',
      `where names of containers come from: ${CONTAINER_SOURCES.join(', ')}, or none`,
      parseContainerSources,
    )
    .option(
      '--enable-ancestors [types]',
      `add ancestors to JSON: of all events, or of ${Object.keys(ANCESTOR_TYPES).join(', ')}`,
      parseAncestorTypes,
    )
    .option('--enable-process-cred', 'add capabilities, user and group ids to processes in JSON')
    .option('--enable-process-ns', 'add namespaces to processes in JSON')
    .option('--enable-process-environment-variables', 'add the environment, which often has secrets, to exec in JSON')
    .option('--filter-environment-variables <name...>', 'add only these variables of the environment', parseList)
    .option(
      '--redaction-filters <json...>',
      'hide parts of arguments and environments: {"binary_regex": ["REGEX"], "redact": ["REGEX with a (group)"]}',
      parseRedactionOption,
    )
    .option('--enforcement', 'allow policies to signal processes, override functions and change programs')
    .option('--allow-missed-calls', 'allow enforcement that can miss calls on this kernel (preemption)')
    .addOption(new Option('--optimize').hideHelp())
    .option('--no-optimize', 'load BPF programs as they were compiled, without rewriting them for their policy')
    .addOption(new Option('--cache-paths').hideHelp())
    .option('--no-cache-paths', 'resolve every path again; do not remember paths that no selector can match')
    .addOption(new Option('--group-policies').hideHelp())
    .option('--no-group-policies', 'load a program of its own for each hook, also for several on the same function')
    .option('--allow-requests', 'allow policies to make network requests (GetUrl, DnsLookup)')
    .addOption(
      new Option('--mode <mode>', 'mode of all policies, in place of their own; monitor only reports actions').choices([
        'enforce',
        'monitor',
      ]),
    )
    .option(
      '--persist <folder>',
      'keep policies active if this process dies: pin them in this folder below /sys/fs/bpf',
    )
    .option(
      '--record <file>',
      'also write the events with all their values to a file, for replay, test, read and report',
    )
    .addOption(new Option('--keep', 'with --persist: keep policies active whenever this process ends'))
    .option('--btf <file>', BTF_HELP)
    .option('--duration <seconds>', 'stop after this number of seconds', parseSeconds)
    .addHelpText('after', GETEVENTS_HELP);
}

function addRunCommand(program: Command): Command {
  return program
    .command('run')
    .description('Run a command, and say what it and its descendants did')
    .argument('<command...>', 'program and its arguments, after --')
    .option('--user <name>', 'run the command as this user (default: the user that called sudo)')
    .option('--lock <file>', 'compare with this lock file of behavior; it is written when it does not exist')
    .option('--update-lock', 'write the lock file anew')
    .option('--summary <format-and-file...>', `also write the summary: ${SUMMARY_FORMATS.join(', ')}, and a file`)
    .option('--report <file>', 'also write the summary as a page for a browser')
    .option('--record <file>', 'also write the events with all their values to a file, for read, replay and report')
    .addOption(new Option('-o, --output <format>', 'print events on standard error').choices(['compact', 'tree']))
    .option('--quiet', 'print the summary only if something is new against the lock file')
    .option('--kill-remaining', 'kill the processes that outlive the command')
    .option('--enforce', 'refuse what the lock file and the rules do not allow, and kill what outlives the command')
    .addOption(new Option('--preset <name>', 'rules for a kind of command').choices(['install', 'build', 'test']))
    .option(
      '--allow-connect <target...>',
      'rule: allow connections to NAME:PORT, an address or a network, and no others',
    )
    .option(
      '--allow-write <path...>',
      'rule: allow changes of a file or folder outside of the working folder, and no others',
    )
    .option('--deny-secrets', 'rule: refuse to open well-known secrets')
    .option('--btf <file>', BTF_HELP)
    .addHelpText('after', RUN_HELP);
}

/** `--summary` has two values: a format and a file. */
function checkRunOptions({
  summary,
  ...options
}: Omit<RunCommandOptions, 'summary'> & { readonly summary?: readonly string[] }): RunCommandOptions {
  if (summary === undefined) return options;
  const format = SUMMARY_FORMATS.find((known) => known === summary[0]);
  const file = summary[1];
  if (format === undefined || file === undefined || summary.length > 2) {
    throw new UsageError(`--summary needs a format (${SUMMARY_FORMATS.join(', ')}) and a file`);
  }
  return { ...options, summary: [format, file] };
}

function addReportCommand(program: Command): Command {
  const command = program
    .command('report')
    .description('Make a page for a browser of recorded events, or show events while they come')
    .argument('[file...]', 'recorded events: JSON lines or recordings, also compressed with gzip; - is standard input')
    .option('-o, --output <file>', 'file of the page; - is standard output (default: report.html)')
    .option(
      '--limit <events>',
      `events in the page; the first ones are taken (default: ${REPORT_EVENTS_DEFAULT})`,
      parseEventCount,
    )
    .option('--since <time>', 'leave out events before: 2026-01-31T12:00:00Z, or 90s, 10m, 6h, 2d ago', parseSince)
    .option('--live', 'show events in a browser of this machine, until Ctrl-C')
    .option('--port <number>', 'with --live: port on 127.0.0.1 (default: a free one)', parsePort)
    .option('--duration <seconds>', 'with --live: stop after this number of seconds', parseSeconds)
    .option('--policy <file-or-folder...>', 'with --live: policies to load, as for getevents')
    .option('--policy-dir <folder>', 'with --live: load the policies of this folder, which may be empty or missing')
    .option('--redaction-filters <json...>', 'hide parts of arguments, as for getevents', parseRedactionOption);
  return addFilterOptions(addFleetOptions(addServerOptions(command))).addHelpText('after', REPORT_HELP);
}

function parseEventCount(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= 1 && value <= REPORT_EVENTS_MAX)) {
    throw new InvalidArgumentError(`The value must be a number from 1 to ${REPORT_EVENTS_MAX}.`);
  }
  return value;
}

function parsePort(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(value >= 1 && value <= 65_535)) throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  return value;
}

function addReadCommand(program: Command): Command {
  const command = program
    .command('read')
    .description('Print recorded events: JSON lines, also of an agent, and recordings (getevents --record)')
    .argument('<file...>', 'files, also compressed with gzip; - is standard input');
  return addFilterOptions(addFormatOptions(command))
    .option('--follow', 'wait for more lines of the last file, also of one that takes its place')
    .option('--since <time>', 'leave out events before: 2026-01-31T12:00:00Z, or 90s, 10m, 6h, 2d ago', parseSince)
    .option('--duration <seconds>', 'stop after this number of seconds', parseSeconds)
    .addHelpText('after', READ_HELP);
}

function addVerifyCommand(program: Command): Command {
  return program
    .command('verify')
    .description('Prove that no line of an export with --export-chain was removed, changed or reordered')
    .argument('<file...>', 'all files of the export, also compressed with gzip, in any order')
    .option('--checkpoints <file>', 'signed checkpoints of the chain', `${CHAIN_FOLDER}/checkpoints.jsonl`)
    .option('--key <file>', 'public key of the node (PEM)', `${CHAIN_FOLDER}/public.pem`)
    .addHelpText('after', VERIFY_HELP);
}

function addReplayCommand(program: Command): Command {
  const command = program
    .command('replay')
    .description('Print what policies would have reported of a recording (root is not needed)')
    .argument('<file>', 'recording of getevents --record, also compressed with gzip')
    .requiredOption('--policy <file-or-folder...>', 'policies: files, folders, or polytrace:NAME');
  return addKernelOptions(addFormatOptions(command)).addHelpText('after', REPLAY_HELP);
}

function addTestCommand(program: Command): Command {
  const command = program
    .command('test')
    .description('Run scenarios of policies: commands in this kernel (as root), or recorded events')
    .argument('<file...>', 'tests (kind: PolicyTest), or policies that have one in a folder tests beside them');
  return addKernelOptions(command)
    .addOption(new Option('--format <format>', 'format of the results').choices([...RESULT_FORMATS]).default('text'))
    .option('--recorded', 'run only scenarios over recorded events, which need no root')
    .option('--grep <text>', 'run only scenarios whose name has this text')
    .option('--enforcement', 'allow policies to signal processes, override functions and change programs')
    .addHelpText('after', TEST_HELP);
}

function parseContainerSources(
  text: string,
  before: readonly (ContainerSourceName | 'none')[] = [],
): (ContainerSourceName | 'none')[] {
  const names = text.split(',').map((name) => {
    const source = [...CONTAINER_SOURCES, 'none' as const].find((known) => known === name);
    if (source === undefined)
      throw new InvalidArgumentError(`Allowed sources are ${CONTAINER_SOURCES.join(', ')}, or none.`);
    return source;
  });
  return [...before, ...names];
}

function parseAncestorTypes(text: string, before: true | readonly EventType[] = []): readonly EventType[] {
  const types = text.split(',').flatMap((name) => {
    if (!Object.hasOwn(ANCESTOR_TYPES, name)) {
      throw new InvalidArgumentError(`Allowed types are ${Object.keys(ANCESTOR_TYPES).join(', ')}.`);
    }
    return ANCESTOR_TYPES[name] ?? [];
  });
  return before === true ? types : [...before, ...types];
}

function parseRedactionOption(text: string, before: readonly RedactionFilter[] = []): readonly RedactionFilter[] {
  try {
    return [...before, ...parseRedactionFilters(text)];
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
