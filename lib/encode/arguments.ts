/** Encodes the values of hooks as tetragon.KprobeArgument, with the members that the JSON export has. */
import { create, fromJson, toBinary, type JsonValue } from '@bufbuild/protobuf';
import type {
  AlgorithmAddressArgument,
  BufferArgument,
  FileArgument,
  HookArgument,
  PacketArgument,
  SocketArgument,
} from '../../types/index.js';
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
  KprobeSockaddrAlgSchema,
  KprobeSockaddrSchema,
  KprobeSockaddrUnSchema,
  KprobeSockSchema,
  KprobeTruncatedBytesSchema,
  SyscallIdSchema,
} from '../proto/tetragon/tetragon.gen.js';
import { splitAlgorithmAddress } from '../names/network.js';
import { oneofTags, fieldTags } from './tags.js';
import type { Writer } from './writer.js';

const ARGUMENT = fieldTags(KprobeArgumentSchema);
const CASE = oneofTags(KprobeArgumentSchema, 'arg');
const FILE = fieldTags(KprobeFileSchema);
const EXECUTED = fieldTags(KprobeLinuxBinprmSchema);
const SOCK = fieldTags(KprobeSockSchema);
const SKB = fieldTags(KprobeSkbSchema);
const SOCKADDR = fieldTags(KprobeSockaddrSchema);
const UNIX = fieldTags(KprobeSockaddrUnSchema);
const ALGORITHM = fieldTags(KprobeSockaddrAlgSchema);
const DEVICE = fieldTags(KprobeNetDevSchema);
const BYTES = fieldTags(KprobeTruncatedBytesSchema);
const SYSCALL = fieldTags(SyscallIdSchema);
const CAPABILITY = fieldTags(KprobeCapabilitySchema);
const PROGRAM = fieldTags(KprobeBpfProgSchema);
const MAP = fieldTags(KprobeBpfMapSchema);
const PERF = fieldTags(KprobePerfEventSchema);
const ERROR = fieldTags(KprobeErrorSchema);

/**
 * The type that a client assumes for a member without `type`. The most frequent type of each member is omitted to
 * save bytes.
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
  sockaddralgArg: 'sockaddr_alg',
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

/** Values of these types are rare and have many members, so they are encoded from the JSON export. */
const JSON_ENCODED = ['cred', 'user_namespace', 'module', 'load_info'] as const satisfies HookArgument['type'][];
type JsonEncodedType = (typeof JSON_ENCODED)[number];

/** Writes a value as a field of its event. `position`: its index in the list. `exportJson` returns its JSON export. */
export function writeArgument(
  w: Writer,
  tag: number,
  argument: HookArgument,
  position: number,
  exportJson: () => JsonValue,
): void {
  const end = w.length;
  writeArgumentFields(w, argument, position, exportJson);
  w.message(tag, end);
}

/** Writes the content of that field. */
export function writeArgumentFields(
  w: Writer,
  argument: HookArgument,
  position: number,
  exportJson: () => JsonValue,
): void {
  if ('truncated' in argument && argument.truncated && typeof argument.value === 'string')
    w.bool(ARGUMENT.truncated, true);
  const isUnread = 'unreadable' in argument && argument.unreadable === true && !hasBytes(argument);
  const member = argumentMember(argument);
  if (isUnread || argument.type !== USUAL_TYPES[member]) w.string(ARGUMENT.type, argument.type);
  if (argument.index !== position) w.wrapper(ARGUMENT.index, argument.index);
  if (argument.label !== undefined) w.string(ARGUMENT.label, argument.label);
  if (isUnread) writeError(w, argument);
  else writeMember(w, CASE[member], argument, exportJson);
}

/** True for a value that is encoded from its JSON export. */
export function isJsonEncoded({ type }: HookArgument): boolean {
  return (JSON_ENCODED as readonly HookArgument['type'][]).includes(type);
}

function hasBytes(argument: HookArgument): boolean {
  return 'size' in argument && argument.value.length > 0;
}

function writeError(w: Writer, argument: HookArgument): void {
  if ('value' in argument && typeof argument.value === 'string') w.string(ARGUMENT.partialText, argument.value);
  const end = w.length;
  w.string(ERROR.Message, 'could not be read');
  w.message(CASE.errorArg, end);
}

function argumentMember(argument: HookArgument): keyof typeof USUAL_TYPES {
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
    case 'sockaddr_alg':
      return 'sockaddralgArg';
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

/** A member of a oneof is written even if it is zero or empty. */
function writeMember(w: Writer, tag: number, argument: HookArgument, exportJson: () => JsonValue): void {
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
      return w.stringAlways(tag, argument.value);
    case 'kernel_cap_t':
    case 'cap_inheritable':
    case 'cap_permitted':
    case 'cap_effective':
      return w.stringAlways(tag, argument.value.toString(16).padStart(16, '0'));
    case 'cred':
    case 'user_namespace':
    case 'module':
    case 'load_info':
      return writeFromJson(w, argument, exportJson());
    case 'char_buf':
    case 'const_buf':
    case 'char_iovec':
    case 'iov_iter':
      return writeBytes(w, tag, argument);
    case 'net_device':
      w.string(DEVICE.name, argument.value);
      break;
    case 'sockaddr_un':
      w.string(UNIX.path, argument.value);
      w.string(UNIX.family, 'AF_UNIX');
      break;
    case 'sockaddr_alg':
      writeAlgorithmAddress(w, argument);
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
      w.string(SOCKADDR.addr, argument.address);
      w.string(SOCKADDR.family, argument.family);
      break;
    case 'capability':
      w.string(CAPABILITY.name, capabilityName(argument.name));
      w.wrapper(CAPABILITY.value, argument.value);
      break;
    case 'syscall64': {
      const id = Number(BigInt.asUintN(32, argument.value));
      if (argument.value !== BigInt(id)) w.longAlways(SYSCALL.number, argument.value);
      w.string(SYSCALL.name, argument.name ?? '');
      w.string(SYSCALL.abi, argument.abi);
      w.uint(SYSCALL.id, id);
      break;
    }
    case 'bpf_attr':
    case 'bpf_prog':
      w.string(PROGRAM.ProgName, argument.name);
      w.uint(PROGRAM.InsnCnt, argument.instructions);
      w.string(PROGRAM.ProgType, argument.programType);
      break;
    case 'bpf_map':
      w.string(MAP.MapName, argument.name);
      w.uint(MAP.MaxEntries, argument.maxEntries);
      w.uint(MAP.ValueSize, argument.valueSize);
      w.uint(MAP.KeySize, argument.keySize);
      w.string(MAP.MapType, argument.mapType);
      break;
    case 'perf_event':
      w.ulong(PERF.ProbeOffset, argument.probeOffset);
      w.ulong(PERF.Config, argument.config);
      w.string(PERF.Type, argument.eventType);
      w.string(PERF.KprobeFunc, argument.function);
      break;
    default:
      argument satisfies never;
  }
  w.message(tag, end);
}

/** Tetragon's protocol omits the prefix of one capability name. */
function capabilityName(name: string | undefined): string {
  return name === 'CAP_DAC_OVERRIDE' ? 'DAC_OVERRIDE' : (name ?? '');
}

function writeBytes(w: Writer, tag: number, argument: BufferArgument): void {
  if (!argument.truncated && argument.unreadable === undefined) return w.bytes(tag, argument.value);
  const end = w.length;
  w.uint(BYTES.origSize, argument.size);
  if (argument.value.length > 0) w.bytes(BYTES.bytesArg, argument.value);
  w.message(tag, end);
}

function writeAlgorithmAddress(w: Writer, argument: AlgorithmAddressArgument): void {
  const { type, name } = splitAlgorithmAddress(argument.value);
  w.string(ALGORITHM.name, name);
  w.uint(ALGORITHM.mask, argument.mask);
  w.uint(ALGORITHM.feat, argument.features);
  w.string(ALGORITHM.type, type);
  w.string(ALGORITHM.family, 'AF_ALG');
}

/** KprobePath and KprobeFile have the same field numbers. */
function writeFile(w: Writer, tags: typeof FILE | typeof EXECUTED, { path, flags, permission }: FileArgument): void {
  w.string(tags.permission, permission);
  if (flags.length > 0) w.string(tags.flags, flags.join(' '));
  w.string(tags.path, path);
}

function writeSocket(w: Writer, argument: SocketArgument): void {
  w.string(SOCK.state, argument.state);
  w.ulong(SOCK.cookie, argument.address);
  w.uint(SOCK.dport, argument.destinationPort);
  w.uint(SOCK.sport, argument.sourcePort);
  w.string(SOCK.daddr, argument.destinationAddress);
  w.string(SOCK.saddr, argument.sourceAddress);
  w.uint(SOCK.priority, argument.priority);
  w.uint(SOCK.mark, argument.mark);
  w.string(SOCK.protocol, argument.protocol);
  w.string(SOCK.type, argument.socketType);
  w.string(SOCK.family, argument.family);
}

function writePacket(w: Writer, argument: PacketArgument): void {
  w.string(SKB.family, argument.family);
  w.string(SKB.protocol, argument.protocol);
  w.uint(SKB.secPathOlen, argument.secPathOffloads);
  w.uint(SKB.secPathLen, argument.secPathLength);
  w.uint(SKB.proto, argument.protocolNumber);
  w.uint(SKB.dport, argument.destinationPort);
  w.uint(SKB.sport, argument.sourcePort);
  w.string(SKB.daddr, argument.destinationAddress);
  w.string(SKB.saddr, argument.sourceAddress);
  w.uint(SKB.mark, argument.mark);
  w.uint(SKB.priority, argument.priority);
  w.uint(SKB.len, argument.length);
  w.uint(SKB.hash, argument.hash);
}

/** The caller writes the label. */
function writeFromJson(
  w: Writer,
  _argument: Extract<HookArgument, { readonly type: JsonEncodedType }>,
  exported: JsonValue,
): void {
  const message = create(KprobeArgumentSchema, fromJson(KprobeArgumentSchema, exported, { ignoreUnknownFields: true }));
  message.label = '';
  w.raw(toBinary(KprobeArgumentSchema, message));
}
