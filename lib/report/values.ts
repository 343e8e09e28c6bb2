/** Formats the values of hooks for a report, and finds the files and addresses among them. */
import type { ArgumentOf, HookArgument, PlainEvent, StringArgument } from '../../types/index.js';

/** Longer strings are truncated. A path of the kernel has at most 4096 bytes. */
const STRING_LENGTH_MAX = 8192;
const BYTES_MAX = 512;

export function truncate(text: string): string {
  return text.length > STRING_LENGTH_MAX ? `${text.slice(0, STRING_LENGTH_MAX)}…` : text;
}

export function formatArgument(argument: HookArgument): string {
  if ('path' in argument) return truncate(argument.path);
  if ('sourceAddress' in argument) {
    const { sourceAddress, sourcePort, destinationAddress, destinationPort, protocol } = argument;
    return `${formatEndpoint(sourceAddress, sourcePort)} → ${formatEndpoint(destinationAddress, destinationPort)} ${protocol}`.trim();
  }
  if ('address' in argument && 'port' in argument) return formatEndpoint(argument.address, argument.port);
  if ('unreadable' in argument) return '(unreadable)';
  if ('value' in argument) return truncate(formatPlainValue(argument.value));
  return truncate(formatMembers(argument));
}

function formatPlainValue(value: unknown): string {
  if (!(value instanceof Uint8Array)) {
    return typeof value === 'object'
      ? JSON.stringify(value, replaceBigint)
      : (value as bigint | number | string).toString();
  }
  const bytes = Buffer.from(value.subarray(0, BYTES_MAX));
  const text = bytes.toString('latin1');
  const shown = /^[\t\n\r -~]*$/.test(text) ? JSON.stringify(text) : `0x${bytes.toString('hex')}`;
  return value.length > BYTES_MAX ? `${shown}… (${value.length} bytes)` : shown;
}

/** Formats the members that are specific to the type: `name=x size=3`. */
function formatMembers(argument: HookArgument): string {
  const { type: _type, index: _index, label: _label, ...members } = argument as unknown as Record<string, unknown>;
  return Object.entries(members)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `${name}=${formatPlainValue(value)}`)
    .join(' ');
}

function replaceBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Returns the files that an event is about. */
export function eventFiles(event: PlainEvent): string[] {
  switch (event.type) {
    case 'process_loader':
      return uniquePaths([event.path]);
    case 'process_kprobe':
    case 'process_tracepoint':
    case 'process_uprobe':
    case 'process_usdt':
    case 'process_lsm':
      return uniquePaths(event.args.map((each) => ('path' in each ? each.path : absolutePath(each))));
    case 'process_exec':
    case 'process_exit':
    case 'process_throttle':
    case 'change':
    case 'lost':
      return [];
  }
}

/** The types of strings that can be the name of a file. */
const FILE_NAME_TYPES: Readonly<Record<StringArgument['type'], boolean>> = {
  string: true,
  filename: true,
  data_loc: true,
  net_device: false,
  sockaddr_un: false,
};

/** A string argument of a system call can be a path. Returns an empty string for another argument. */
function absolutePath(argument: HookArgument): string {
  if (!isString(argument) || !FILE_NAME_TYPES[argument.type]) return '';
  return argument.value.startsWith('/') ? argument.value : '';
}

function isString(argument: HookArgument): argument is ArgumentOf<StringArgument['type']> {
  return 'value' in argument && typeof argument.value === 'string';
}

function uniquePaths(paths: readonly string[]): string[] {
  return [...new Set(paths.filter((text) => text !== '').map(truncate))];
}

/** Returns the remote addresses of connections, and the addresses among the arguments. */
export function remoteAddresses(args: readonly HookArgument[]): string[] {
  const ends = args.flatMap((each) => {
    if ('destinationAddress' in each) return [[each.destinationAddress, each.destinationPort] as const];
    return 'address' in each && 'port' in each ? [[each.address, each.port] as const] : [];
  });
  return [
    ...new Set(ends.filter(([address]) => address !== '').map(([address, port]) => formatEndpoint(address, port))),
  ];
}
