/** Values of hooks in protobuf: tetragon.KprobeArgument, with the members that the JSON export has. */
import { create, fromJson, toBinary, type JsonValue } from '@bufbuild/protobuf';
import type { BufferArgument, FileArgument, HookArgument, PacketArgument, SocketArgument } from 'polytrace';
import {
  KprobeArgumentSchema,
  KprobeBpfMapSchema,
  KprobeBpfProgSchema,
  KprobeCapabilitySchema,
  KprobeErrorSchema,
  KprobeFileSchema,
  KprobeLinuxBinprmSchema,
  KprobeNetDevSchema,
  KprobePerfEventSchema,
  KprobeSkbSchema,
  KprobeSockaddrSchema,
  KprobeSockaddrUnSchema,
  KprobeSockSchema,
  KprobeTruncatedBytesSchema,
  SyscallIdSchema,
} from '../proto/tetragon/tetragon.gen.js';
import { casesOf, tagsOf } from './tags.js';
import type { Writer } from './writer.js';

const ARGUMENT = tagsOf(KprobeArgumentSchema);
const CASE = casesOf(KprobeArgumentSchema, 'arg');
const FILE = tagsOf(KprobeFileSchema);
const EXECUTED = tagsOf(KprobeLinuxBinprmSchema);
const SOCK = tagsOf(KprobeSockSchema);
const SKB = tagsOf(KprobeSkbSchema);
const SOCKADDR = tagsOf(KprobeSockaddrSchema);
const UNIX = tagsOf(KprobeSockaddrUnSchema);
const DEVICE = tagsOf(KprobeNetDevSchema);
const BYTES = tagsOf(KprobeTruncatedBytesSchema);
const SYSCALL = tagsOf(SyscallIdSchema);
const CAPABILITY = tagsOf(KprobeCapabilitySchema);
const PROGRAM = tagsOf(KprobeBpfProgSchema);
const MAP = tagsOf(KprobeBpfMapSchema);
const PERF = tagsOf(KprobePerfEventSchema);
const ERROR = tagsOf(KprobeErrorSchema);

/**
 * The type that a client takes for a member without `type`. It is the most usual one, so that the others cost a few bytes
 * and it costs none.
 */
export const USUAL_TYPES = {
  stringArg: 'string',
  intArg: 'int',
  uintArg: 'uint32',
  longArg: 'int64',
  sizeArg: 'size_t',
  bytesArg: 'char_buf',
  truncatedBytesArg: 'char_buf',
  fileArg: 'file',
  pathArg: 'path',
  linuxBinprmArg: 'linux_binprm',
  sockArg: 'sock',
  skbArg: 'skb',
  sockaddrArg: 'sockaddr',
  sockaddrunArg: 'sockaddr_un',
  netDevArg: 'net_device',
  syscallId: 'syscall64',
  capabilityArg: 'capability',
  kernelCapTArg: 'kernel_cap_t',
  capInheritableArg: 'cap_inheritable',
  capPermittedArg: 'cap_permitted',
  capEffectiveArg: 'cap_effective',
  bpfCmdArg: 'bpf_cmd',
  bpfAttrArg: 'bpf_attr',
  bpfProgArg: 'bpf_prog',
  bpfMapArg: 'bpf_map',
  perfEventArg: 'perf_event',
  moduleArg: 'module',
  processCredentialsArg: 'cred',
  userNsArg: 'user_namespace',
} as const satisfies Readonly<Partial<Record<keyof typeof CASE, HookArgument['type']>>>;

/** Values of these types are rare and have many members: they are encoded from the JSON export. */
type RareType = 'cred' | 'user_namespace' | 'module' | 'load_info';

/** Writes a value as a field of its event. `position` is its place in the list; `exported` returns the JSON export of it. */
export function writeArgument(
  w: Writer,
  tag: number,
  argument: HookArgument,
  position: number,
  exported: () => JsonValue,
): void {
  const end = w.length;
  if ('truncated' in argument && argument.truncated && typeof argument.value === 'string')
    w.bool(ARGUMENT.truncated, true);
  const isUnread = 'unreadable' in argument && argument.unreadable === true && !hasBytes(argument);
  const member = memberOf(argument);
  if (isUnread || argument.type !== USUAL_TYPES[member]) w.text(ARGUMENT.type, argument.type);
  if (argument.index !== position) w.wrapped(ARGUMENT.index, argument.index);
  if (argument.label !== undefined) w.text(ARGUMENT.label, argument.label);
  if (isUnread) writeError(w, argument);
  else writeMember(w, CASE[member], argument, exported);
  w.message(tag, end);
}

function hasBytes(argument: HookArgument): boolean {
  return 'size' in argument && argument.value.length > 0;
}

function writeError(w: Writer, argument: HookArgument): void {
  if ('value' in argument && typeof argument.value === 'string') w.text(ARGUMENT.partialText, argument.value);
  const end = w.length;
  w.text(ERROR.Message, 'could not be read');
  w.message(CASE.errorArg, end);
}

function memberOf(argument: HookArgument): keyof typeof USUAL_TYPES {
  switch (argument.type) {
    case 'int':
    case 'int8':
    case 'sint8':
    case 'int16':
    case 'sint16':
    case 'int32':
    case 'sint32':
      return 'intArg';
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return 'uintArg';
    case 'int64':
    case 'sint64':
    case 'long':
      return 'longArg';
    case 'uint64':
    case 'ulong':
    case 'size_t':
      return 'sizeArg';
    case 'string':
    case 'data_loc':
    case 'filename':
      return 'stringArg';
    case 'net_device':
      return 'netDevArg';
    case 'sockaddr_un':
      return 'sockaddrunArg';
    case 'char_buf':
    case 'const_buf':
    case 'char_iovec':
    case 'iov_iter':
      return argument.truncated || argument.unreadable !== undefined ? 'truncatedBytesArg' : 'bytesArg';
    case 'file':
    case 'fd':
    case 'kiocb':
      return 'fileArg';
    case 'path':
    case 'dentry':
      return 'pathArg';
    case 'linux_binprm':
      return 'linuxBinprmArg';
    case 'sock':
    case 'socket':
      return 'sockArg';
    case 'skb':
      return 'skbArg';
    case 'sockaddr':
      return 'sockaddrArg';
    case 'cred':
      return 'processCredentialsArg';
    case 'user_namespace':
      return 'userNsArg';
    case 'capability':
      return 'capabilityArg';
    case 'kernel_cap_t':
      return 'kernelCapTArg';
    case 'cap_inheritable':
      return 'capInheritableArg';
    case 'cap_permitted':
      return 'capPermittedArg';
    case 'cap_effective':
      return 'capEffectiveArg';
    case 'syscall64':
      return 'syscallId';
    case 'bpf_cmd':
      return 'bpfCmdArg';
    case 'bpf_attr':
      return 'bpfAttrArg';
    case 'bpf_prog':
      return 'bpfProgArg';
    case 'bpf_map':
      return 'bpfMapArg';
    case 'perf_event':
      return 'perfEventArg';
    case 'module':
    case 'load_info':
      return 'moduleArg';
  }
}

/** A member of a oneof is written also when it is zero or empty. */
function writeMember(w: Writer, tag: number, argument: HookArgument, exported: () => JsonValue): void {
  const end = w.length;
  switch (argument.type) {
    case 'int':
    case 'int8':
    case 'sint8':
    case 'int16':
    case 'sint16':
    case 'int32':
    case 'sint32':
    case 'bpf_cmd':
      return w.int(tag, argument.value);
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return w.uintAlways(tag, argument.value);
    case 'int64':
    case 'sint64':
    case 'long':
    case 'uint64':
    case 'ulong':
    case 'size_t':
      return w.longAlways(tag, argument.value);
    case 'string':
    case 'data_loc':
    case 'filename':
      return w.textAlways(tag, argument.value);
    case 'kernel_cap_t':
    case 'cap_inheritable':
    case 'cap_permitted':
    case 'cap_effective':
      return w.textAlways(tag, argument.value.toString(16).padStart(16, '0'));
    case 'cred':
    case 'user_namespace':
    case 'module':
    case 'load_info':
      return writeRare(w, argument, exported());
    case 'char_buf':
    case 'const_buf':
    case 'char_iovec':
    case 'iov_iter':
      return writeBytes(w, tag, argument);
    case 'net_device':
      w.text(DEVICE.name, argument.value);
      break;
    case 'sockaddr_un':
      w.text(UNIX.path, argument.value);
      w.text(UNIX.family, 'AF_UNIX');
      break;
    case 'file':
    case 'fd':
    case 'kiocb':
    case 'path':
    case 'dentry':
      writeFile(w, FILE, argument);
      break;
    case 'linux_binprm':
      writeFile(w, EXECUTED, argument);
      break;
    case 'sock':
    case 'socket':
      writeSocket(w, argument);
      break;
    case 'skb':
      writePacket(w, argument);
      break;
    case 'sockaddr':
      w.uint(SOCKADDR.port, argument.port);
      w.text(SOCKADDR.addr, argument.address);
      w.text(SOCKADDR.family, argument.family);
      break;
    case 'capability':
      w.text(CAPABILITY.name, exportedName(argument.name));
      w.wrapped(CAPABILITY.value, argument.value);
      break;
    case 'syscall64': {
      const id = Number(BigInt.asUintN(32, argument.value));
      if (argument.value !== BigInt(id)) w.longAlways(SYSCALL.number, argument.value);
      w.text(SYSCALL.name, argument.name ?? '');
      w.text(SYSCALL.abi, argument.abi);
      w.uint(SYSCALL.id, id);
      break;
    }
    case 'bpf_attr':
    case 'bpf_prog':
      w.text(PROGRAM.ProgName, argument.name);
      w.uint(PROGRAM.InsnCnt, argument.instructions);
      w.text(PROGRAM.ProgType, argument.programType);
      break;
    case 'bpf_map':
      w.text(MAP.MapName, argument.name);
      w.uint(MAP.MaxEntries, argument.maxEntries);
      w.uint(MAP.ValueSize, argument.valueSize);
      w.uint(MAP.KeySize, argument.keySize);
      w.text(MAP.MapType, argument.mapType);
      break;
    case 'perf_event':
      w.ulong(PERF.ProbeOffset, argument.probeOffset);
      w.ulong(PERF.Config, argument.config);
      w.text(PERF.Type, argument.eventType);
      w.text(PERF.KprobeFunc, argument.function);
      break;
  }
  w.message(tag, end);
}

/** Tetragon's protocol has one name without its prefix. */
function exportedName(name: string | undefined): string {
  return name === 'CAP_DAC_OVERRIDE' ? 'DAC_OVERRIDE' : (name ?? '');
}

function writeBytes(w: Writer, tag: number, argument: BufferArgument): void {
  if (!argument.truncated && argument.unreadable === undefined) return w.bytes(tag, argument.value);
  const end = w.length;
  w.uint(BYTES.origSize, argument.size);
  if (argument.value.length > 0) w.bytes(BYTES.bytesArg, argument.value);
  w.message(tag, end);
}

/** A path has the same numbers as a file. */
function writeFile(w: Writer, tags: typeof FILE | typeof EXECUTED, { path, flags, permission }: FileArgument): void {
  w.text(tags.permission, permission);
  if (flags.length > 0) w.text(tags.flags, flags.join(' '));
  w.text(tags.path, path);
}

function writeSocket(w: Writer, argument: SocketArgument): void {
  w.text(SOCK.state, argument.state);
  w.ulong(SOCK.cookie, argument.address);
  w.uint(SOCK.dport, argument.destinationPort);
  w.uint(SOCK.sport, argument.sourcePort);
  w.text(SOCK.daddr, argument.destinationAddress);
  w.text(SOCK.saddr, argument.sourceAddress);
  w.uint(SOCK.priority, argument.priority);
  w.uint(SOCK.mark, argument.mark);
  w.text(SOCK.protocol, argument.protocol);
  w.text(SOCK.type, argument.socketType);
  w.text(SOCK.family, argument.family);
}

function writePacket(w: Writer, argument: PacketArgument): void {
  w.text(SKB.family, argument.family);
  w.text(SKB.protocol, argument.protocol);
  w.uint(SKB.secPathOlen, argument.secPathOffloads);
  w.uint(SKB.secPathLen, argument.secPathLength);
  w.uint(SKB.proto, argument.protocolNumber);
  w.uint(SKB.dport, argument.destinationPort);
  w.uint(SKB.sport, argument.sourcePort);
  w.text(SKB.daddr, argument.destinationAddress);
  w.text(SKB.saddr, argument.sourceAddress);
  w.uint(SKB.mark, argument.mark);
  w.uint(SKB.priority, argument.priority);
  w.uint(SKB.len, argument.length);
  w.uint(SKB.hash, argument.hash);
}

/** The label is written by the caller. */
function writeRare(
  w: Writer,
  _argument: Extract<HookArgument, { readonly type: RareType }>,
  exported: JsonValue,
): void {
  const message = create(KprobeArgumentSchema, fromJson(KprobeArgumentSchema, exported));
  message.label = '';
  w.raw(toBinary(KprobeArgumentSchema, message));
}
