/** Formats the values of a hook for the compact output. Every result is quoted and escaped. */
import { formatEndpoint } from '../names/endpoint.js';
import type {
  AlgorithmAddressArgument,
  ArgumentOf,
  BpfProgramArgument,
  BufferArgument,
  FileArgument,
  HookArgument,
  PacketArgument,
  PathFlag,
  SocketArgument,
  StringArgument,
} from '../../types/events.js';
import { quoteUnsafe } from './escape.js';

export type Args = readonly HookArgument[];

/** The types of strings that can be the name of a file. */
type FileNameType = Exclude<StringArgument['type'], 'net_device' | 'sockaddr_un'>;

type AnyString = StringArgument | AlgorithmAddressArgument;

/** Maximum number of values in a line. The JSON export has all values. */
const VALUES_MAX = 5;
/** Maximum number of bytes of a buffer in a line. */
const BYTES_MAX = 32;
/** ASCII without control characters, except tab and line ends. */
const PRINTABLE = /^[\t\n\r -~]*$/;

/** Formats the first values that are not empty, in the order of the policy. A value with a label is `label=value`. */
export function formatValues(args: Args): string {
  const formatted: string[] = [];
  for (const each of args) {
    const value = formatValue(each);
    if (value === '') continue;
    if (formatted.length === VALUES_MAX) {
      formatted.push('…');
      break;
    }
    formatted.push(each.label === undefined ? value : `${quoteUnsafe(each.label)}=${value}`);
  }
  return formatted.join(' ');
}

function formatValue(argument: HookArgument): string {
  if ('path' in argument || isFileOrString(argument)) return formatFileOrString(argument);
  if ('size' in argument) return formatBuffer(argument);
  if ('unreadable' in argument) return '(unreadable)';
  switch (argument.type) {
    case 'sock':
    case 'socket':
    case 'skb':
      return formatConnection([argument]);
    case 'sockaddr':
      return argument.address === '' ? quoteUnsafe(argument.family) : formatEndpoint(argument.address, argument.port);
    case 'kernel_cap_t':
    case 'cap_inheritable':
    case 'cap_permitted':
    case 'cap_effective':
      return `0x${argument.value.toString(16)}`;
    case 'capability':
    case 'syscall64':
    case 'bpf_cmd':
      return argument.name ?? String(argument.value);
    case 'cred':
      return `uid ${argument.uid} euid ${argument.euid}`;
    case 'user_namespace':
      return `user namespace ${argument.inode}`;
    case 'bpf_attr':
    case 'bpf_prog':
      return formatBpfProgram([argument]);
    case 'bpf_map':
      return formatBpfMap([argument]);
    case 'perf_event':
      return formatPerfEvent([argument]);
    case 'module':
    case 'load_info':
      return quoteNonEmpty(argument.name);
    case 'int':
    case 'int8':
    case 'sint8':
    case 'int16':
    case 'sint16':
    case 'int32':
    case 'sint32':
    case 'uint8':
    case 'uint16':
    case 'uint32':
    case 'int64':
    case 'sint64':
    case 'long':
    case 'uint64':
    case 'ulong':
    case 'size_t':
      return String(argument.value);
  }
}

/** Formats the bytes as a string if all of them are printable, otherwise as hexadecimal digits. */
function formatBuffer({ value, size, unreadable }: BufferArgument): string {
  if (unreadable && value.length === 0) return '(unreadable)';
  const first = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, BYTES_MAX));
  const characters = first.toString('latin1');
  const text = PRINTABLE.test(characters) ? quoteUnsafe(characters) : `0x${first.toString('hex')}`;
  return size > first.length ? `${text}… (${size} bytes)` : text;
}

/** Formats the first file, path or descriptor. If there is none, the first string. */
export function formatFile(args: Args): string {
  let first: StringArgument | undefined;
  for (const a of args) {
    if ('path' in a) return formatFileOrString(a);
    if (a.type === 'filename' || a.type === 'string' || a.type === 'data_loc') first ??= a;
    else a satisfies Exclude<HookArgument, ArgumentOf<FileNameType>>;
  }
  return first === undefined ? '' : formatFileOrString(first);
}

/** Formats both endpoints of the first socket or packet. If it has no IP addresses, its family. */
export function formatConnection(args: Args): string {
  const socket = args.find((a): a is SocketArgument | PacketArgument => 'destinationAddress' in a);
  if (socket === undefined || socket.unreadable) return '';
  if (socket.sourceAddress === '') return quoteUnsafe(socket.family);
  const protocol = socket.protocol.replace(/^IPPROTO_/, '').toLowerCase();
  const source = formatEndpoint(socket.sourceAddress, socket.sourcePort);
  return `${quoteUnsafe(protocol)} ${source} -> ${formatEndpoint(socket.destinationAddress, socket.destinationPort)}`;
}

export function formatBpfProgram(args: Args): string {
  const program = args.find((a): a is BpfProgramArgument => 'programType' in a);
  if (program === undefined || program.unreadable) return '';
  return joinNonEmpty(program.programType, quoteNonEmpty(program.name), `instruction count ${program.instructions}`);
}

export function formatBpfMap(args: Args): string {
  const map = args.find((a) => a.type === 'bpf_map');
  if (map === undefined || map.unreadable) return '';
  const sizes = `key size ${map.keySize} value size ${map.valueSize} max entries ${map.maxEntries}`;
  return joinNonEmpty(map.mapType, quoteNonEmpty(map.name), sizes);
}

export function formatPerfEvent(args: Args): string {
  const event = args.find((a) => a.type === 'perf_event');
  if (event === undefined || event.unreadable) return '';
  return joinNonEmpty(event.eventType, quoteNonEmpty(event.function));
}

export function quoteNonEmpty(text: string): string {
  return text === '' ? '' : quoteUnsafe(text);
}

export function isFileOrString(argument: HookArgument): argument is FileArgument | AnyString {
  return 'path' in argument || ('value' in argument && typeof argument.value === 'string');
}

/** Formats a path or string. An incomplete one is marked. */
export function formatFileOrString(argument: FileArgument | AnyString): string {
  if ('path' in argument) return formatPath(argument.path, argument.flags);
  if (argument.unreadable) return joinNonEmpty(quoteNonEmpty(argument.value), '(unreadable)');
  return quoteUnsafe(argument.value) + (argument.truncated ? ' (truncated)' : '');
}

export function formatPath(path: string, flags: readonly PathFlag[]): string {
  if (flags.length === 0) return quoteNonEmpty(path);
  const notes = flags.filter((flag) => flag !== 'pseudo').map((flag) => `(${flag})`);
  return joinNonEmpty(quoteNonEmpty(path), ...notes);
}

export function joinNonEmpty(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}
