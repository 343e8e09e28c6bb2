/** `polytrace ps`: the running processes, with their containers and the process sets of policies. */
import { Option, type Command } from 'commander';
import type { ProcessSet } from '../../types/index.js';
import { fieldColumn, type FieldValue, type RowColumn } from '../tracers/index.js';
import { terminalWidth } from './columns.js';
import { addProcessOptions, compileContainerFilters, processTest, type ProcessOptions } from './container-options.js';
import { SUCCESS, type Context } from './context.js';
import { print } from './output.js';
import { formatContainer, isInContainers, listProcesses, nameContainers, type ProcProcess } from './proc.js';
import { formatFieldsJson, RowTable } from './row-table.js';

const PS_HELP = `
With --policy, the column SETS shows the process sets of the policies that a
process is in by its executable, or by that of an ancestor (followChildren). The
sets are listed below the table. The kernel also checks that a path is not
forged, and knows the executables of processes that have ended.

Examples:
  polytrace ps --containers web
  polytrace ps --policy polytrace:credentials
`;

interface PsOptions extends ProcessOptions {
  readonly output: 'table' | 'json';
  readonly policy?: readonly string[];
}

export function addProcessesCommand(program: Command, context: Context, done: (status: number) => void): void {
  const command = program
    .command('ps')
    .description('List the running processes with their containers, and the process sets of policies')
    .addOption(new Option('-o, --output <format>', 'format: a table, or a line of JSON for each process').choices(['table', 'json']).default('table'))
    .option('--policy <file-or-folder...>', 'show the process sets of these policies'); // prettier-ignore
  addProcessOptions(command)
    .addHelpText('after', PS_HELP)
    .action(async (options: PsOptions) => done(await printProcesses(options, context)));
}

async function printProcesses(options: PsOptions, context: Context): Promise<number> {
  const sets = readSets(options.policy ?? [], context);
  const filters = compileContainerFilters(options);
  const all = listProcesses();
  const nameOf = await nameContainers(new Set(all.flatMap(({ containerId }) => containerId ?? [])), context);
  const isWanted = processTest(options);
  const byPid = new Map(all.map((each) => [each.pid, each]));
  const rows = all
    .filter((each) => isWanted(each.pid, each.executable) && isInContainers(nameOf(each.containerId), filters))
    .map((each) => toFields(each, formatContainer(nameOf(each.containerId)), setNames(each, sets, byPid)));
  await print(context.stdout, options.output === 'json' ? rows.map(formatFieldsJson).join('') : formatRows(rows, sets, context)); // prettier-ignore
  return SUCCESS;
}

type Fields = Readonly<Record<string, FieldValue | undefined>>;

function toFields(process: ProcProcess, container: string, sets: readonly string[]): Fields {
  const { pid, parentPid, user, uid, executable, command } = process;
  return {
    pid,
    parentPid,
    uid,
    user,
    ...(container === '' ? {} : { container }),
    ...(sets.length === 0 ? {} : { sets }),
    executable,
    command,
  };
}

function formatRows(rows: readonly Fields[], sets: readonly NamedSet[], context: Context): string {
  const columns: RowColumn[] = [
    fieldColumn('PID', 7, 'pid'),
    fieldColumn('PPID', 7, 'parentPid'),
    fieldColumn('USER', 8, 'user'),
    ...(rows.some(({ container }) => container !== undefined) ? [fieldColumn('CONTAINER', 16, 'container')] : []),
    ...(sets.length === 0 ? [] : [fieldColumn('SETS', 14, 'sets')]),
    fieldColumn('COMMAND', 30, 'command'),
  ];
  const table = new RowTable(columns, terminalWidth(context));
  const lines = rows.map((fields) => table.formatRow({ time: '', process: undefined, fields }));
  const legend = sets.map(({ name, set }) => `${name}: ${describeSet(set)}\n`);
  return [table.formatTitles(), ...lines, ...(legend.length === 0 ? [] : ['\n', ...legend])].join('');
}

interface NamedSet {
  /** Name of the policy and number of the set. */
  readonly name: string;
  readonly set: ProcessSet;
}

/** The sets of executables and process ids. Sets of arguments are decided at the exec. */
function readSets(paths: readonly string[], { api }: Context): NamedSet[] {
  return paths
    .flatMap((path) => api.expandPolicyPaths(path))
    .flatMap((file) => {
      const { name, processSets } = api.compilePolicy(api.loadPolicyFile(file));
      return processSets.flatMap((set, i) => (set.argument === undefined ? [{ name: `${name}#${i}`, set }] : []));
    });
}

/** Ancestors that are asked. More of them would be a loop: a process id was used again. */
const ANCESTORS_MAX = 1000;

function setNames(
  process: ProcProcess,
  sets: readonly NamedSet[],
  byPid: ReadonlyMap<number, ProcProcess>,
): readonly string[] {
  return sets.flatMap(({ name, set }) => {
    let each: ProcProcess | undefined = process;
    for (let i = 0; each !== undefined && i < ANCESTORS_MAX; i++) {
      if (isInSet(each, set)) return [name];
      each = set.follow ? byPid.get(each.parentPid) : undefined;
    }
    return [];
  });
}

function isInSet({ pid, executable }: ProcProcess, { equal, prefix, postfix, pids }: ProcessSet): boolean {
  if (pids.length > 0) return pids.includes(pid);
  if (executable === '') return false;
  const path = executable.replace(/ \(deleted\)$/, '');
  return (
    equal.includes(path) ||
    prefix.some((value) => path.startsWith(value)) ||
    postfix.some((value) => path.endsWith(value))
  );
}

/** Values that the list of sets shows. */
const VALUES_SHOWN = 3;

function describeSet({ equal, prefix, postfix, pids, follow }: ProcessSet): string {
  const values = [
    ...equal,
    ...prefix.map((value) => `${value}…`),
    ...postfix.map((value) => `…${value}`),
    ...pids.map((pid) => `pid ${pid}`),
  ];
  const more = values.length - VALUES_SHOWN;
  const list = `${values.slice(0, VALUES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return follow ? `${list}, and all descendants` : list;
}
