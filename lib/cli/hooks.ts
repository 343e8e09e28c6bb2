/** `polytrace hooks`: what a policy can hook, and policies for it. */
import { setTimeout as delay } from 'node:timers/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { AvailableHook, AvailableHookKind, HookQuery } from '../../types/index.js';
import { terminalWidth } from './columns.js';
import { SUCCESS, UsageError, type Context } from './context.js';
import { parseSeconds } from './event-options.js';
import { print, printMessage } from './output.js';
import { escapeControls, formatJson, formatTable } from '../output/terminal-text.js';

const KINDS = ['syscall', 'lsm', 'tracepoint', 'raw_tracepoint', 'function', 'usdt', 'uprobe'] as const satisfies readonly AvailableHookKind[]; // prettier-ignore

/** Default number of hooks in the list. */
const ROWS = 50;
/** Maximum number of hooks whose calls are counted at the same time. */
const COUNTED_MAX = 32;

const LIST_HELP = `
As root, the command lists only functions that can be probed, and tracepoints
with their fields. Otherwise it lists all functions of the kernel's BTF.

Examples:
  polytrace hooks unlink
  polytrace hooks 'security_path_*' --count 5
  polytrace hooks SSL_ --file /usr/lib/x86_64-linux-gnu/libssl.so.3
  polytrace hooks connect --btf vmlinux-5.10
  polytrace hooks show security_path_unlink --policy > unlink.yaml
`;

interface HooksOptions {
  readonly output: 'text' | 'json' | 'names';
  readonly btf?: string;
  readonly file?: string;
  readonly kind?: readonly AvailableHookKind[];
  readonly count?: number;
}

interface ListOptions extends HooksOptions {
  readonly limit?: number;
}

interface ShowOptions extends HooksOptions {
  readonly policy?: boolean;
}

export function addHooksCommand(program: Command, context: Context, done: (status: number) => void): void {
  const hooks = program.command('hooks').description('Find what a policy can hook, and print a policy for it');
  addQueryOptions(hooks.command('list', { isDefault: true }), ['text', 'json', 'names'])
    .description('List hooks by a part of their name, with their values and the policies of the package')
    .argument('<pattern>', 'part of the name, or the whole name with * and ?')
    .option('--limit <hooks>', `most hooks to print; 0 prints all (default: ${ROWS}, all with -o)`, parseLimit)
    .addHelpText('after', LIST_HELP)
    .action(async (pattern: string, options: ListOptions) => done(await list(pattern, options, context)));
  addQueryOptions(hooks.command('show'), ['text', 'json'])
    .description('Describe a hook')
    .argument('<hook>', 'name, such as security_path_unlink, sys_unlink or sched/sched_process_exec')
    .option('--policy', 'print a policy that reports each of its calls')
    .action(async (name: string, options: ShowOptions) => done(await show(name, options, context)));
}

function addQueryOptions(command: Command, formats: readonly HooksOptions['output'][]): Command {
  return command
    .addOption(new Option('-o, --output <format>', 'format').choices([...formats]).default('text'))
    .addOption(new Option('--kind <kind...>', 'only these kinds').choices([...KINDS]))
    .option('--file <file>', 'static probes and functions of this program or library')
    .addOption(new Option('--btf <file>', 'the kernel of this BTF file, and not the running one').conflicts('file'))
    .option('--count <seconds>', 'count the calls for this time, as root', parseSeconds);
}

function parseLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('The value must be a number of hooks, or 0 for all.');
}

async function list(pattern: string, options: ListOptions, context: Context): Promise<number> {
  const found = context.api.listHooks(pattern, openQuery(options, context));
  // the error names the nearest hooks
  if (found.length === 0) context.api.findHook(pattern, openQuery(options, context));
  const limit = options.limit ?? (options.output === 'text' ? ROWS : 0);
  const shown = limit === 0 ? found : found.slice(0, limit);
  if (options.output === 'names') {
    await print(context.stdout, escapeControls(shown.map(({ name }) => `${name}\n`).join('')));
    return SUCCESS;
  }
  const rates = await countCalls(shown, options, context);
  const text =
    options.output === 'json'
      ? formatJson(shown.map((hook, i) => withRate(hook, rates?.[i])))
      : formatRows(shown, rates, context);
  await print(context.stdout, escapeControls(text));
  if (shown.length < found.length)
    printMessage(context, `${found.length} hooks match, ${shown.length} are shown: --limit 0 shows all`);
  return SUCCESS;
}

async function show(name: string, options: ShowOptions, context: Context): Promise<number> {
  const hook = context.api.findHook(name, openQuery(options, context));
  if (options.policy === true) {
    await print(context.stdout, escapeControls(context.api.hookPolicy(hook)));
    return SUCCESS;
  }
  const [rate] = (await countCalls([hook], options, context)) ?? [];
  const text = options.output === 'json' ? formatJson(withRate(hook, rate)) : describeHook(hook, rate, context);
  await print(context.stdout, escapeControls(text));
  return SUCCESS;
}

function openQuery({ btf, file, kind, count }: HooksOptions, context: Context): HookQuery {
  if (btf !== undefined && count !== undefined)
    throw new UsageError('--count needs the running kernel: leave --btf out');
  const kinds = kind === undefined ? {} : { kinds: kind };
  if (file !== undefined) return { file, ...kinds };
  const kernel = context.api.loadKernelInfo(btf);
  if (btf === undefined && kernel.attachableNames() === undefined) {
    const message = 'which functions can be probed is not known here: all functions of BTF are listed';
    const reason = process.geteuid?.() === 0 ? 'this kernel has no' : 'only root can read';
    printMessage(context, `note: ${message} (${reason} available_filter_functions of tracefs)`);
  }
  return { kernel, ...kinds };
}

/** Calls in a second; a text is the reason why they were not counted. */
type Rate = number | string;

/** Counts the calls of hooks with a tracer that reports nothing. Undefined without the option. */
async function countCalls(
  hooks: readonly AvailableHook[],
  { count }: HooksOptions,
  { api }: Context,
): Promise<readonly Rate[] | undefined> {
  if (count === undefined) return undefined;
  if (hooks.length > COUNTED_MAX)
    throw new UsageError(`--count counts at most ${COUNTED_MAX} hooks, and ${hooks.length} are listed: use --limit`);
  const tracer = await api.openTracer();
  try {
    const failures = new Map<string, string>();
    for (const [i, hook] of hooks.entries()) {
      const name = `count-${i}`;
      try {
        await tracer.addPolicy({ yaml: api.hookPolicy(hook, { name, report: false }) });
      } catch (error) {
        if (!(error instanceof api.PolytraceError)) throw error;
        failures.set(name, error.code);
      }
    }
    const before = countMatched(tracer.policies());
    const start = performance.now();
    await delay(count * 1000);
    const after = countMatched(tracer.policies());
    const seconds = (performance.now() - start) / 1000;
    return hooks.map((_, i) => {
      const name = `count-${i}`;
      return failures.get(name) ?? Math.round(((after.get(name) ?? 0) - (before.get(name) ?? 0)) / seconds);
    });
  } finally {
    await tracer.close();
  }
}

function countMatched(policies: readonly { readonly name: string; readonly matched: number }[]): Map<string, number> {
  return new Map(policies.map(({ name, matched }) => [name, matched]));
}

function withRate(hook: AvailableHook, rate: Rate | undefined): object {
  if (rate === undefined) return hook;
  return { ...hook, ...(typeof rate === 'number' ? { callsPerSecond: rate } : { notCounted: rate }) };
}

/** The prototype is last. In a terminal it loses its last parameters, so that the line fits. */
function formatRows(hooks: readonly AvailableHook[], rates: readonly Rate[] | undefined, context: Context): string {
  const { api } = context;
  const width = terminalWidth(context) ?? Infinity;
  const cells = hooks.map((hook, i) => [
    hook.kind,
    formatOverridable(hook),
    ...(rates === undefined ? [] : [String(rates[i])]),
    hook.policies.join(',') || '-',
  ]);
  const head = ['KIND', 'OVERRIDE', ...(rates === undefined ? [] : ['CALLS/S']), 'POLICIES'];
  const used = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const left = width - used.reduce((sum, each) => sum + each + 2, 0);
  return formatTable([
    [...head, 'HOOK'],
    ...cells.map((row, i) => [...row, api.formatHook(hooks[i] as AvailableHook, left)]),
  ]);
}

function formatOverridable({ overridable }: AvailableHook): string {
  return overridable === undefined ? '?' : overridable ? 'yes' : 'no';
}

/** Describes a hook on several lines: its prototype, its properties, and a row for each value. */
function describeHook(hook: AvailableHook, rate: Rate | undefined, { api }: Context): string {
  const { kind, name, file, policies, parameters, returns } = hook;
  const properties = [
    ['kind', kind],
    ...(file === undefined ? [] : [['file', file]]),
    ['override', formatOverridable(hook)],
    ['policies', policies.join(', ') || 'none of the package'],
    ...(rate === undefined ? [] : [['calls/s', String(rate)]]),
  ];
  const values = (parameters ?? []).map(({ index, name: own, type, cType }) => [String(index), own || '-', type ?? '-', cType]); // prettier-ignore
  if (returns !== undefined) values.push(['return', '-', returns.type ?? '-', returns.cType]);
  const table = values.length === 0 ? '' : `\n${formatTable([['INDEX', 'NAME', 'TYPE', 'TYPE IN C'], ...values])}`;
  const note = parameters === undefined ? '\nThe types of its values are not known here.\n' : '';
  const options = file === undefined ? ' --policy' : ` --file ${file} --policy`;
  return `${api.formatHook(hook)}\n\n${formatTable(properties)}${table}${note}\npolytrace hooks show ${name}${options} prints a policy for it.\n`;
}
