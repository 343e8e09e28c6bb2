/** Formats the values of a hook for the JSON export. Each value has one member, named after its type, and its label. */
import type {
  AlgorithmAddressArgument,
  BufferArgument,
  CredentialsArgument,
  FileArgument,
  HookArgument,
  ModuleArgument,
  PacketArgument,
  SocketArgument,
  UserNamespace,
} from '../../types/events.js';
import { exportCapabilityName } from '../names/capabilities.js';
import { splitAlgorithmAddress } from '../names/network.js';
import { needsNoEscape } from './escape.js';
import type { ArgumentField } from './export-fields.js';
import { hostNamespaces } from '../process/host-namespaces.js';
import { memoize } from './memoize.js';
import {
  capabilitiesJson,
  listField,
  longField,
  message,
  numberField,
  stringField,
  stringMember,
  stringValue,
} from './json-fields.js';

export function argumentJson(argument: HookArgument): string {
  const { label } = argument;
  return label === undefined ? `{${memberJson(argument)}}` : `{${memberJson(argument)}${stringField('label', label)}}`;
}

/** The member is one of those that export-fields.ts lists. */
function memberJson(argument: HookArgument): `"${ArgumentField}":${string}` {
  if ('unreadable' in argument && !hasBytes(argument)) return '"error_arg":{"Message":"could not be read"}';
  switch (argument.type) {
    case 'int':
    case 'int8':
    case 'sint8':
    case 'int16':
    case 'sint16':
    case 'int32':
    case 'sint32':
      return `"int_arg":${argument.value}`;
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return `"uint_arg":${argument.value}`;
    case 'int64':
    case 'sint64':
    case 'long':
      return `"long_arg":"${argument.value}"`;
    case 'uint64':
    case 'ulong':
    case 'size_t':
      return `"size_arg":"${argument.value}"`;
    case 'string':
    case 'data_loc':
    case 'filename':
      return `"string_arg":${stringValue('string_arg', argument.value)}`;
    case 'net_device':
      return `"net_dev_arg":${message(stringField('name', argument.value))}`;
    case 'sockaddr_un':
      return `"sockaddrun_arg":${message(stringField('family', 'AF_UNIX'), stringField('path', argument.value))}`;
    case 'sockaddr_alg':
      return `"sockaddralg_arg":${algorithmAddressJson(argument)}`;
    case 'char_buf':
    case 'const_buf':
    case 'char_iovec':
    case 'iov_iter':
      return bytesJson(argument);
    case 'file':
    case 'fd':
    case 'kiocb':
      return `"file_arg":${fileJson(argument)}`;
    case 'path':
    case 'dentry':
      return `"path_arg":${fileJson(argument)}`;
    case 'linux_binprm':
      return `"linux_binprm_arg":${fileJson(argument)}`;
    case 'sock':
    case 'socket':
      return `"sock_arg":${socketJson(argument)}`;
    case 'skb':
      return `"skb_arg":${packetJson(argument)}`;
    case 'sockaddr':
      return `"sockaddr_arg":${message(
        stringField('family', argument.family),
        stringField('addr', argument.address),
        numberField('port', argument.port),
      )}`;
    case 'cred':
      return `"process_credentials_arg":${credentialsJson(argument)}`;
    case 'user_namespace':
      return `"user_ns_arg":${userNamespaceJson(argument)}`;
    case 'capability': {
      const name = exportCapabilityName(argument.value) ?? '';
      return `"capability_arg":${message(`,"value":${argument.value}`, stringField('name', name))}`;
    }
    case 'kernel_cap_t':
    case 'cap_inheritable':
    case 'cap_permitted':
    case 'cap_effective':
      return `"${argument.type}_arg":"${argument.value.toString(16).padStart(16, '0')}"`;
    case 'syscall64': {
      const id = Number(BigInt.asUintN(32, argument.value));
      return `"syscall_id":${message(numberField('id', id), stringField('abi', argument.abi))}`;
    }
    case 'bpf_cmd':
      return `"bpf_cmd_arg":${argument.name === undefined ? argument.value : `"${argument.name}"`}`;
    case 'bpf_attr':
    case 'bpf_prog':
      return `"${argument.type}_arg":${message(
        stringField('ProgType', argument.programType),
        numberField('InsnCnt', argument.instructions),
        stringField('ProgName', argument.name),
      )}`;
    case 'bpf_map':
      return `"bpf_map_arg":${message(
        stringField('MapType', argument.mapType),
        numberField('KeySize', argument.keySize),
        numberField('ValueSize', argument.valueSize),
        numberField('MaxEntries', argument.maxEntries),
        stringField('MapName', argument.name),
      )}`;
    case 'perf_event':
      return `"perf_event_arg":${message(
        stringField('KprobeFunc', argument.function),
        stringField('Type', argument.eventType),
        longField('Config', argument.config),
        longField('ProbeOffset', argument.probeOffset),
      )}`;
    case 'module':
    case 'load_info':
      return `"module_arg":${moduleJson(argument)}`;
  }
}

function algorithmAddressJson(argument: AlgorithmAddressArgument): string {
  const { type, name } = splitAlgorithmAddress(argument.value);
  return message(
    stringField('family', 'AF_ALG'),
    stringField('type', type),
    numberField('feat', argument.features),
    numberField('mask', argument.mask),
    stringField('name', name),
  );
}

/** True for a buffer if at least one byte could be read. */
function hasBytes(argument: HookArgument): boolean {
  return 'size' in argument && argument.value.length > 0;
}

function bytesJson(argument: BufferArgument): `"${ArgumentField}":${string}` {
  const { buffer, byteOffset, byteLength } = argument.value;
  const bytes = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  if (!argument.truncated && argument.unreadable === undefined) return `"bytes_arg":"${bytes}"`;
  return `"truncated_bytes_arg":${message(stringField('bytes_arg', bytes), `,"orig_size":"${argument.size}"`)}`;
}

/** Formats the members after the path of a file without flags. */
const permissionEnd = memoize((permission) => `"${stringField('permission', permission)}}`);

function fileJson(argument: FileArgument): string {
  const { path, flags, permission } = argument;
  if (flags.length === 0 && path !== '' && needsNoEscape(path)) return `{"path":"${path}${permissionEnd(permission)}`;
  const rest =
    (flags.length === 0 ? '' : stringField('flags', flags.join(' '))) + stringField('permission', permission);
  return path === '' ? message(rest) : `{${stringMember('path', path)}${rest}}`;
}

function socketJson(argument: SocketArgument): string {
  return message(
    stringField('family', argument.family),
    stringField('type', argument.socketType),
    stringField('protocol', argument.protocol),
    numberField('mark', argument.mark),
    numberField('priority', argument.priority),
    stringField('saddr', argument.sourceAddress),
    stringField('daddr', argument.destinationAddress),
    numberField('sport', argument.sourcePort),
    numberField('dport', argument.destinationPort),
    longField('cookie', argument.address),
    stringField('state', argument.state),
  );
}

function packetJson(argument: PacketArgument): string {
  return message(
    numberField('hash', argument.hash),
    numberField('len', argument.length),
    numberField('priority', argument.priority),
    numberField('mark', argument.mark),
    stringField('saddr', argument.sourceAddress),
    stringField('daddr', argument.destinationAddress),
    numberField('sport', argument.sourcePort),
    numberField('dport', argument.destinationPort),
    numberField('proto', argument.protocolNumber),
    numberField('sec_path_len', argument.secPathLength),
    numberField('sec_path_olen', argument.secPathOffloads),
    stringField('protocol', argument.protocol),
    stringField('family', argument.family),
  );
}

/** Names of SecureBitsType: entry n is bit n. */
const SECUREBITS = [
  'SecBitNoRoot',
  'SecBitNoRootLocked',
  'SecBitNoSetUidFixup',
  'SecBitNoSetUidFixupLocked',
  'SecBitKeepCaps',
  'SecBitKeepCapsLocked',
  'SecBitNoCapAmbientRaise',
  'SecBitNoCapAmbientRaiseLocked',
].map((name, bit) => [1n << BigInt(bit), name] as const);

/** Names of TaintedBitsType. The kernel's other bits never belong to a module. */
const TAINTS = [
  [1n << 0n, 'TAINT_PROPRIETARY_MODULE'],
  [1n << 1n, 'TAINT_FORCED_MODULE'],
  [1n << 2n, 'TAINT_FORCED_UNLOAD_MODULE'],
  [1n << 10n, 'TAINT_STAGED_MODULE'],
  [1n << 12n, 'TAINT_OUT_OF_TREE_MODULE'],
  [1n << 13n, 'TAINT_UNSIGNED_MODULE'],
  [1n << 15n, 'TAINT_KERNEL_LIVE_PATCH_MODULE'],
  [1n << 18n, 'TAINT_TEST_MODULE'],
] as const;

function bitNames(bits: bigint, names: readonly (readonly [bigint, string])[]): string[] {
  return names.filter(([bit]) => (bits & bit) !== 0n).map(([, name]) => name);
}

function credentialsJson(argument: CredentialsArgument): string {
  const ids = (['uid', 'gid', 'euid', 'egid', 'suid', 'sgid', 'fsuid', 'fsgid'] as const).map(
    (id) => `,"${id}":${argument[id]}`,
  );
  return message(
    ...ids,
    listField('securebits', bitNames(BigInt(argument.securebits), SECUREBITS)),
    `,"caps":${capabilitiesJson(argument.capabilities)}`,
    `,"user_ns":${userNamespaceJson(argument.userNamespace)}`,
  );
}

function userNamespaceJson({ level, owner, group, inode }: UserNamespace): string {
  const isHost = hostNamespaces().user.includes(inode) ? ',"is_host":true' : '';
  const ns = message(numberField('inum', inode), isHost);
  return `{"level":${level},"uid":${owner},"gid":${group},"ns":${ns}}`;
}

function moduleJson(argument: ModuleArgument): string {
  const { signatureValid } = argument;
  return message(
    stringField('name', argument.name),
    signatureValid === undefined ? '' : `,"signature_ok":${signatureValid}`,
    listField('tainted', bitNames(argument.taints, TAINTS)),
  );
}
