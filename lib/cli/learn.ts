/** `polytrace learn`: exceptions for a policy, or what a service may do, from recordings or live. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { CheckedExceptions, LearnedExceptions, LearnedService, ServiceOptions } from '../../types/index.js';
import { isLibraryPolicy } from '../names/policy-library.js';
import { cannotWrite, POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import { getEvents } from './getevents.js';
import { chooseKernel, type KernelOptions } from './kernel.js';
import { EventOutput, print, printMessage } from './output.js';
import { escapeControls, formatJson } from '../output/terminal-text.js';

interface LearnCommandOptions extends KernelOptions {
  readonly policy?: string;
  readonly service?: string;
  readonly for?: number;
  readonly container?: readonly string[];
  readonly pods?: Readonly<Record<string, string>>;
  readonly program?: readonly string[];
  readonly record?: string;
  readonly output?: string;
  readonly seccomp?: string;
  readonly networkPolicy?: string;
  readonly check?: boolean;
  readonly attacks?: readonly string[];
  readonly format: 'yaml' | 'json';
  readonly printPolicy?: boolean;
}

const LEARN_HELP = `
With --policy, the result is the policy with exceptions for the alerts that it
has in the recordings. With --service, it is a policy that allows what the
service did, and nothing else. Recordings are files of getevents --record. With
--for, the command records for this time, or until Ctrl-C, and then learns.

An attacker may be among the events: nothing is learned of shells and tools
without a script or an ancestor, of programs in /tmp and homes, and of files
that are executed there. Every exception says what it hides. Read them.

Examples:
  polytrace learn --policy polytrace:credentials --for 24h -o credentials.yaml --check
  polytrace getevents --policy polytrace:egress --record day.jsonl --duration 86400
  polytrace learn day.jsonl --policy polytrace:egress --check --attacks attack.jsonl
  polytrace learn --service web --container web --for 1h -o web.yaml --seccomp web.json
`;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const TIME_MAX = 31 * 86_400;

function parseTime(text: string): number {
  const [, number, unit = 's'] = /^(\d{1,7})([smhd])?$/.exec(text) ?? [];
  const seconds = number === undefined ? NaN : Number(number) * (UNITS[unit] ?? NaN);
  if (!(seconds >= 1 && seconds <= TIME_MAX))
    throw new InvalidArgumentError('Write a time up to 31d, such as 90s, 10m or 24h.');
  return seconds;
}

function addLabel(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('it has the form LABEL=VALUE.');
  return { ...before, [name]: value };
}

export function addLearnCommand(program: Command, context: Context, done: (status: number) => void): void {
  program
    .command('learn')
    .description('Propose exceptions for a policy, or a policy for a service, from what happens')
    .argument('[recordings...]', 'files of `getevents --record`, also compressed with gzip')
    .option('--policy <file>', 'learn exceptions for this policy: a file, or polytrace:NAME')
    .option('--service <name>', 'learn what a service does, and call its policy NAME-allowed')
    .option('--for <time>', 'record now, for this time, such as 10m or 24h', parseTime)
    .option('--container <name...>', 'only containers with these names')
    .option('--pods <label=value>', 'only pods with this label; can be repeated', addLabel)
    .option('--program <path...>', 'with --service: only these programs and all that they start')
    .option('--record <file>', 'with --for: keep the recording in this file')
    .option('-o, --output <file>', 'write the policy to this file')
    .option('--seccomp <file>', 'with --service: also write a seccomp profile (JSON of OCI)')
    .option('--network-policy <file>', 'with --service: also write a NetworkPolicy of Kubernetes')
    .option('--check', 'evaluate the learned exceptions over the recordings')
    .option('--attacks <file...>', 'recordings of attacks, none of which the exceptions may hide')
    .addOption(new Option('--format <format>', 'format on standard output').choices(['yaml', 'json']).default('yaml'))
    .option('--print-policy', 'with --service: print the policy with which a service is recorded, and end')
    .option('--btf <file>', 'types of the kernel')
    .addOption(new Option('--kernel <kernel>', 'kernel to check against').choices(['running', 'none']))
    .addHelpText('after', LEARN_HELP)
    .action(async (recordings: string[], options: LearnCommandOptions) => {
      done(await learn(recordings, options, context));
    });
}

async function learn(recordings: readonly string[], options: LearnCommandOptions, context: Context): Promise<number> {
  checkUsage(recordings, options);
  const service: ServiceOptions = {
    ...(options.container === undefined ? {} : { containers: options.container }),
    ...(options.pods === undefined ? {} : { pods: options.pods }),
    ...(options.program === undefined ? {} : { programs: options.program }),
  };
  if (options.printPolicy === true) {
    await print(context.stdout, `${context.api.servicePolicy(service)}\n`);
    return SUCCESS;
  }
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-learn-'));
  try {
    const files = options.for === undefined ? recordings : [await recordNow(folder, service, options, context)];
    return options.service === undefined
      ? await learnForPolicy(files, options, context)
      : await learnForService(files, options.service, service, options, context);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function checkUsage(recordings: readonly string[], options: LearnCommandOptions): void {
  const { policy, service, record, check, attacks, seccomp, networkPolicy, printPolicy, program } = options;
  if ((policy === undefined) === (service === undefined))
    throw new UsageError('learn needs --policy, for exceptions, or --service, for what a service may do');
  const needsService = Object.entries({ seccomp, networkPolicy, printPolicy, program }).filter(
    ([, value]) => value !== undefined,
  );
  if (policy !== undefined && needsService.length > 0)
    throw new UsageError('--seccomp, --network-policy, --program and --print-policy need --service');
  if (service !== undefined && (check === true || attacks !== undefined))
    throw new UsageError('--check and --attacks need --policy; run the policy of a service in mode monitor instead');
  if (attacks !== undefined && check !== true) throw new UsageError('--attacks needs --check');
  if (printPolicy === true) return;
  if (recordings.length === 0 && options.for === undefined)
    throw new UsageError('name recordings, or record now with --for 24h');
  if (recordings.length > 0 && options.for !== undefined)
    throw new UsageError('--for records now: name no recordings with it');
  if (record !== undefined && options.for === undefined) throw new UsageError('--record needs --for');
}

/** Records with the policy until the time has passed, or Ctrl-C. Returns the file. */
async function recordNow(
  folder: string,
  service: ServiceOptions,
  options: LearnCommandOptions,
  context: Context,
): Promise<string> {
  const {
    policy = join(folder, 'service.yaml'),
    record = join(folder, 'recording.jsonl'),
    for: duration = 0,
    btf,
  } = options;
  if (options.policy === undefined) writeFileSync(policy, context.api.servicePolicy(service), { mode: 0o600 });
  const printer = { start: '', format: () => '', end: () => '' };
  const status = await getEvents(
    { policy: [policy], record, duration, output: 'compact', color: 'never', ...(btf === undefined ? {} : { btf }) },
    context,
    { printer, open: (handlers) => new EventOutput(context, handlers) },
  );
  if (status !== SUCCESS) printMessage(context, 'warning: the recording is not complete');
  return record;
}

async function learnForPolicy(
  files: readonly string[],
  options: LearnCommandOptions,
  context: Context,
): Promise<number> {
  const { api } = context;
  const file = options.policy ?? '';
  const [path = file] = isLibraryPolicy(file) ? [file] : api.expandPolicyPaths(file);
  const { kernel } = chooseKernel(options, context);
  const learned = await api.learnExceptions(files, {
    policy: api.loadPolicyFile(path),
    file: path,
    ...(options.container === undefined ? {} : { containers: options.container }),
    ...(options.pods === undefined ? {} : { pods: options.pods }),
    ...(kernel === undefined ? {} : { kernel }),
  });
  const checked = options.check === true ? await api.checkExceptions(learned, files, options.attacks) : undefined;
  await writeResult(learned, learned.yaml, options, context, checked);
  for (const line of summarize(learned, checked)) printMessage(context, line);
  return checked === undefined || checked.passed ? SUCCESS : POLICY_ERRORS;
}

function* summarize(learned: LearnedExceptions, checked: CheckedExceptions | undefined): Generator<string> {
  yield `${learned.policy}: ${learned.alerts} alerts, ${learned.exceptions.length} exceptions, ${learned.remaining.length} kinds of alerts stay`;
  for (const { programs, container, events, hides, review } of learned.exceptions) {
    yield `  ${events} of ${container ?? programs.join(', ')}; hides ${hides}${review.map((note) => `; look: ${note}`).join('')}`;
  }
  for (const { hook, program, reason, evidence } of learned.remaining)
    yield `  stays: ${hook} of ${program}: ${evidence}: ${reason}`;
  yield* learned.cut;
  if (checked === undefined) return;
  yield* checked.problems;
  const { before, after, scoped, attacksBefore, attacksAfter, passed } = checked;
  yield `check: ${before} alerts before, ${after} after${scoped === 0 ? '' : `, ${scoped} in containers that a source must know`}; ${attacksAfter} of ${attacksBefore} alerts of attacks stay: ${passed ? 'passed' : 'failed'}`;
}

async function learnForService(
  files: readonly string[],
  name: string,
  service: ServiceOptions,
  options: LearnCommandOptions,
  context: Context,
): Promise<number> {
  const learned = await context.api.learnService(files, { name, ...service });
  if (options.seccomp !== undefined) {
    if (learned.seccomp === undefined) throw new UsageError('the recording has no system calls for a seccomp profile');
    writeOutput(options.seccomp, formatJson(learned.seccomp));
  }
  if (options.networkPolicy !== undefined) writeOutput(options.networkPolicy, learned.networkPolicy);
  await writeResult(learned, learned.yaml, options, context);
  printMessage(
    context,
    `${name}: ${learned.events} events, ${learned.allowed.length} facts allowed, ${learned.refused.length} not`,
  );
  for (const { kind, subject, reason } of learned.refused)
    printMessage(context, `  not allowed: ${kind} ${subject}: ${reason}`);
  for (const line of learned.cut) printMessage(context, line);
  return SUCCESS;
}

async function writeResult(
  result: LearnedExceptions | LearnedService,
  yaml: string,
  { output, format }: LearnCommandOptions,
  context: Context,
  checked?: CheckedExceptions,
): Promise<void> {
  if (output !== undefined) writeOutput(output, yaml);
  if (format === 'json')
    await print(
      context.stdout,
      escapeControls(formatJson({ ...result, ...(checked === undefined ? {} : { check: checked }) })),
    );
  else if (output === undefined) await print(context.stdout, yaml);
}

function writeOutput(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}
