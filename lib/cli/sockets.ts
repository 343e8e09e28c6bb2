/** `polytrace sockets`: listening and connected sockets of all network namespaces, with their processes. */
import { readdirSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { bytesColumn, fieldColumn, type FieldValue, type RowColumn } from '../tracers/index.js';
import { terminalWidth } from './columns.js';
import { addProcessOptions, compileContainerFilters, processTest, type ProcessOptions } from './container-options.js';
import { SUCCESS, type Context } from './context.js';
import { print, printMessage } from './output.js';
import { formatContainer, isInContainers, listProcesses, nameContainers, readLink, type ProcProcess } from './proc.js';
import { formatFieldsJson, RowTable } from './row-table.js';
import { readSocketTables, type ListedSocket } from './socket-tables.js';

const SOCKETS_HELP = `
The list has the sockets of the network namespaces of all processes, so those of
containers as well. Only root sees the processes of other users.

Examples:
  polytrace sockets --listening
  polytrace sockets --containers web -o json
`;

interface SocketsOptions extends ProcessOptions {
  readonly output: 'table' | 'json';
  readonly listening?: boolean;
  readonly unix?: boolean;
}

export function addSocketsCommand(program: Command, context: Context, done: (status: number) => void): void {
  const command = program
    .command('sockets')
    .description('List listening and connected sockets with their processes and containers')
    .addOption(new Option('-o, --output <format>', 'format: a table, or a line of JSON for each socket').choices(['table', 'json']).default('table'))
    .option('--listening', 'only sockets that wait for connections or packets')
    .option('--unix', 'also local sockets (AF_UNIX)'); // prettier-ignore
  addProcessOptions(command)
    .addHelpText('after', SOCKETS_HELP)
    .action(async (options: SocketsOptions) => done(await printSockets(options, context)));
}

const COLUMNS: readonly RowColumn[] = [
  fieldColumn('PROTO', 5, 'protocol'),
  fieldColumn('STATE', 11, 'state'),
  fieldColumn('PID', 7, 'pid'),
  { title: 'PROCESS', width: 12, cell: ({ fields }, isWide) => formatExecutable(fields['executable'], isWide) },
  fieldColumn('USER', 8, 'user', { wide: true }),
  fieldColumn('CONTAINER', 14, 'container'),
  bytesColumn('RECV-Q', 'receiveQueue', { wide: true }),
  bytesColumn('SEND-Q', 'sendQueue', { wide: true }),
  fieldColumn('LOCAL', 21, 'local'),
  fieldColumn('REMOTE', 21, 'remote'),
];

function formatExecutable(value: FieldValue | undefined, isWide: boolean): string {
  if (typeof value !== 'string' || value === '') return '-';
  return isWide ? value : value.slice(value.lastIndexOf('/') + 1);
}

async function printSockets(options: SocketsOptions, context: Context): Promise<number> {
  const filters = compileContainerFilters(options);
  const processes = listProcesses();
  const sockets = listSockets(processes, options);
  const owners = findOwners(processes, new Set(sockets.map(({ inode }) => inode)));
  const nameOf = await nameContainers(new Set(processes.flatMap(({ containerId }) => containerId ?? [])), context);
  const isWanted = processTest(options);
  const hasFilter = [options.pid, options.binary, options.comm].some((each) => each !== undefined);
  const rows = sockets.flatMap(({ inode, namespacePid, ...socket }) => {
    const owner = owners.get(inode);
    // a socket without a process, such as one that waits for its last packets, is in the container of its namespace
    const name = nameOf((owner ?? processes.find(({ pid }) => pid === namespacePid))?.containerId);
    if (!isInContainers(name, filters)) return [];
    if (owner === undefined ? hasFilter : !isWanted(owner.pid, owner.executable)) return [];
    return [{ ...socket, inode, ...ownerFields(owner), ...(name !== undefined && { container: formatContainer(name) }) }];
  }); // prettier-ignore
  const hasContainer = rows.some(({ container }) => container !== undefined);
  const columns = COLUMNS.filter(({ title }) => hasContainer || title !== 'CONTAINER');
  const table = new RowTable(columns, terminalWidth(context));
  const text =
    options.output === 'json'
      ? rows.map(formatFieldsJson).join('')
      : [table.formatTitles(), ...rows.map((fields) => table.formatRow({ time: '', process: undefined, fields }))].join(''); // prettier-ignore
  await print(context.stdout, text);
  if (process.geteuid?.() !== 0) printMessage(context, 'note: only root sees the processes of other users');
  return SUCCESS;
}

function ownerFields(owner: ProcProcess | undefined): Readonly<Record<string, FieldValue>> {
  if (owner === undefined) return {};
  const { pid, executable, uid, user } = owner;
  return { pid, executable, uid, user };
}

/** Reads the tables of each network namespace once, through its first process. */
function listSockets(processes: readonly ProcProcess[], { listening, unix }: SocketsOptions): ListedSocket[] {
  const seen = new Set<string>();
  return processes.flatMap(({ pid }) => {
    const namespace = readLink(`/proc/${pid}/ns/net`);
    if (namespace === '' || seen.has(namespace)) return [];
    seen.add(namespace);
    return readSocketTables(pid, unix === true).filter((socket) => listening !== true || socket.isWaiting);
  });
}

/** Finds the process of each socket. If several processes have it, it is the first one. */
function findOwners(processes: readonly ProcProcess[], wanted: ReadonlySet<number>): Map<number, ProcProcess> {
  const owners = new Map<number, ProcProcess>();
  for (const process of processes) {
    for (const inode of listSocketInodes(process.pid)) {
      if (wanted.has(inode) && !owners.has(inode)) owners.set(inode, process);
    }
  }
  return owners;
}

function listSocketInodes(pid: number): number[] {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    // it has ended, or it is a process of another user
    return [];
  }
  return names.flatMap((name) => {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${name}`)) ?? [];
    return inode === undefined ? [] : [Number(inode)];
  });
}
