/** Says the values of a hook in words, for the compact output. All that is returned is quoted and escaped. */
import type {
  BpfProgramArgument,
  BufferArgument,
  FileArgument,
  HookArgument,
  PacketArgument,
  PathFlag,
  SocketArgument,
  TextArgument,
} from '../../types/events.js';
import { quoteUnsafe } from './escape.js';

export type Args = readonly HookArgument[];

/** Values of a hook that are shown in a line. The JSON export has all. */
const VALUES_MAX = 5;
/** Bytes of a buffer that are shown in a line. */
const BYTES_MAX = 32;
/** Bytes that an ASCII text can contain. */
const PRINTABLE = /^[\t\n\r -~]*$/;

/** The first values that say something, in the order of the policy. A value with a label is `label=value`. */
export function valueWords(args: Args): string {
  const shown: string[] = [];
  for (const each of args) {
    const value = valueOf(each);
    if (value === '') continue;
    if (shown.length === VALUES_MAX) {
      shown.push('…');
      break;
    }
    shown.push(each.label === undefined ? value : `${quoteUnsafe(each.label)}=${value}`);
  }
  return shown.join(' ');
}

function valueOf(argument: HookArgument): string {
  if ('path' in argument || isText(argument)) return text(argument);
  if ('size' in argument) return bufferText(argument);
  if ('unreadable' in argument) return '(unreadable)';
  switch (argument.type) {
    case 'sock':
    case 'socket':
    case 'skb':
      return connection([argument]);
    case 'sockaddr':
      return argument.address === '' ? quoteUnsafe(argument.family) : end(argument.address, argument.port);
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
      return bpfProgram([argument]);
    case 'bpf_map':
      return bpfMap([argument]);
    case 'perf_event':
      return perfEvent([argument]);
    case 'module':
    case 'load_info':
      return name(argument.name);
    default:
      return String(argument.value);
  }
}

/** Text if all bytes are printable, otherwise hexadecimal digits. */
function bufferText({ value, size, unreadable }: BufferArgument): string {
  if (unreadable && value.length === 0) return '(unreadable)';
  const first = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, BYTES_MAX));
  const characters = first.toString('latin1');
  const shown = PRINTABLE.test(characters) ? quoteUnsafe(characters) : `0x${first.toString('hex')}`;
  return size > first.length ? `${shown}… (${size} bytes)` : shown;
}

/** The first file, path or descriptor. If the policy reads none, the first string. */
export function file(args: Args): string {
  let first: TextArgument | undefined;
  for (const a of args) {
    if ('path' in a) return text(a);
    if (first === undefined && (a.type === 'filename' || a.type === 'string' || a.type === 'data_loc')) first = a;
  }
  return first === undefined ? '' : text(first);
}

/** The two ends of the first socket or packet. If it has no IP addresses, its family. */
export function connection(args: Args): string {
  const socket = args.find((a): a is SocketArgument | PacketArgument => 'destinationAddress' in a);
  if (socket === undefined || socket.unreadable) return '';
  if (socket.sourceAddress === '') return quoteUnsafe(socket.family);
  const protocol = socket.protocol.replace(/^IPPROTO_/, '').toLowerCase();
  const source = end(socket.sourceAddress, socket.sourcePort);
  return `${quoteUnsafe(protocol)} ${source} -> ${end(socket.destinationAddress, socket.destinationPort)}`;
}

/** An address that contains colons is written in brackets. */
function end(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

export function bpfProgram(args: Args): string {
  const program = args.find((a): a is BpfProgramArgument => 'programType' in a);
  if (program === undefined || program.unreadable) return '';
  return words(program.programType, name(program.name), `instruction count ${program.instructions}`);
}

export function bpfMap(args: Args): string {
  const map = args.find((a) => a.type === 'bpf_map');
  if (map === undefined || map.unreadable) return '';
  const sizes = `key size ${map.keySize} value size ${map.valueSize} max entries ${map.maxEntries}`;
  return words(map.mapType, name(map.name), sizes);
}

export function perfEvent(args: Args): string {
  const event = args.find((a) => a.type === 'perf_event');
  if (event === undefined || event.unreadable) return '';
  return words(event.eventType, name(event.function));
}

function name(text: string): string {
  return text === '' ? '' : quoteUnsafe(text);
}

export function isText(argument: HookArgument): argument is FileArgument | TextArgument {
  return 'path' in argument || ('value' in argument && typeof argument.value === 'string');
}

/** Marks a path or string that is incomplete, so that it is not taken for a complete one. */
export function text(argument: FileArgument | TextArgument): string {
  if ('path' in argument) return pathText(argument.path, argument.flags);
  if (argument.unreadable) return words(name(argument.value), '(unreadable)');
  return quoteUnsafe(argument.value) + (argument.truncated ? ' (truncated)' : '');
}

export function pathText(path: string, flags: readonly PathFlag[]): string {
  if (flags.length === 0) return name(path);
  const notes = flags.filter((flag) => flag !== 'pseudo').map((flag) => `(${flag})`);
  return words(name(path), ...notes);
}

export function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}
