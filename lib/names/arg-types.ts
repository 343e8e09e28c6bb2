/** The table of argument types: how values are compared, how BPF programs read them, and what a parameter can point to. */
import { ValueRead } from './abi.gen.js';

/** The classes of values. The class decides how a value is compared. */
export type ValueClass =
  | 'signed'
  | 'unsigned'
  | 'text'
  | 'path'
  | 'file'
  | 'sock'
  | 'skb'
  | 'sockaddr'
  | 'unixAddress'
  | 'capability'
  | 'capabilities'
  | 'syscall'
  | 'opaque'
  | 'nop'
  | 'auto';

export interface TypeFacts {
  readonly class: ValueClass;
  /** Width of an integer in the kernel. */
  readonly bits?: 8 | 16 | 32 | 64;
}

interface ArgType extends TypeFacts {
  /** How a BPF program reads the value: enum value_read in bpf/abi.h. */
  readonly read: number;
  /** Size and sign of a number whose class is not `signed` or `unsigned`. */
  readonly number?: { readonly bytes: number; readonly signed: boolean };
  /** True if the number is in memory and the parameter points to it. */
  readonly pointed?: true;
  /** The structs that a parameter can point to. */
  readonly structs?: readonly string[];
  /** True for an object that only the kernel has: a system call receives user addresses and numbers. */
  readonly kernelOnly?: true;
}

const signedInteger = (bits: TypeFacts['bits'] & number): ArgType => ({
  class: 'signed',
  bits,
  read: ValueRead.READ_SCALAR,
});
const unsignedInteger = (bits: TypeFacts['bits'] & number): ArgType => ({
  class: 'unsigned',
  bits,
  read: ValueRead.READ_SCALAR,
});
const capabilities: ArgType = {
  class: 'capabilities',
  read: ValueRead.READ_SCALAR,
  number: { bytes: 8, signed: false },
  pointed: true,
};
/** An object that only the kernel has. `structs` are the names of its structs. */
const kernelObject = (valueClass: ValueClass, read: number, ...structs: readonly string[]): ArgType => ({
  class: valueClass,
  read,
  structs,
  kernelOnly: true,
});
const SOCKADDR = ['sockaddr', '__kernel_sockaddr_storage', 'sockaddr_storage', 'sockaddr_in', 'sockaddr_in6'];

export const ARG_TYPES = {
  auto: { class: 'auto', read: ValueRead.READ_NOTHING }, // the policy compiler infers the type first
  int: signedInteger(32),
  sint8: signedInteger(8),
  int8: signedInteger(8),
  uint8: unsignedInteger(8),
  sint16: signedInteger(16),
  int16: signedInteger(16),
  uint16: unsignedInteger(16),
  uint32: unsignedInteger(32),
  sint32: signedInteger(32),
  int32: signedInteger(32),
  ulong: unsignedInteger(64),
  uint64: unsignedInteger(64),
  size_t: unsignedInteger(64),
  long: signedInteger(64),
  sint64: signedInteger(64),
  int64: signedInteger(64),
  char_buf: { class: 'text', read: ValueRead.READ_BUFFER },
  char_iovec: { class: 'text', read: ValueRead.READ_IOVEC },
  skb: kernelObject('skb', ValueRead.READ_SKB, 'sk_buff', '__sk_buff'),
  sock: kernelObject('sock', ValueRead.READ_SOCK, 'sock', 'sock_common', 'tcp_sock', 'inet_sock', 'udp_sock'),
  sockaddr: { class: 'sockaddr', read: ValueRead.READ_SOCKADDR, structs: [...SOCKADDR, 'sockaddr_unsized'] },
  socket: kernelObject('sock', ValueRead.READ_SOCKET, 'socket'),
  sockaddr_un: {
    class: 'unixAddress',
    read: ValueRead.READ_SOCKADDR_UN,
    structs: ['sockaddr_un', 'sockaddr', 'sockaddr_unsized'],
  },
  string: { class: 'text', read: ValueRead.READ_STRING },
  // With `resolve`, the number of the descriptor is read from memory.
  fd: { class: 'path', read: ValueRead.READ_FD, number: { bytes: 4, signed: true } },
  file: kernelObject('file', ValueRead.READ_FILE, 'file'),
  filename: kernelObject('text', ValueRead.READ_FILENAME, 'filename'),
  path: kernelObject('file', ValueRead.READ_PATH, 'path'),
  nop: { class: 'nop', read: ValueRead.READ_NOTHING },
  bpf_attr: { class: 'opaque', read: ValueRead.READ_BPF_ATTR, structs: ['bpf_attr'] },
  perf_event: kernelObject('opaque', ValueRead.READ_PERF_EVENT, 'perf_event'),
  bpf_map: kernelObject('opaque', ValueRead.READ_BPF_MAP, 'bpf_map'),
  user_namespace: kernelObject('opaque', ValueRead.READ_USER_NAMESPACE, 'user_namespace'),
  capability: { class: 'capability', read: ValueRead.READ_SCALAR, number: { bytes: 4, signed: true } },
  kiocb: kernelObject('opaque', ValueRead.READ_KIOCB, 'kiocb'),
  iov_iter: { class: 'opaque', read: ValueRead.READ_IOV_ITER, structs: ['iov_iter'] },
  cred: kernelObject('opaque', ValueRead.READ_CRED, 'cred'),
  const_buf: { class: 'text', read: ValueRead.READ_BUFFER },
  load_info: kernelObject('opaque', ValueRead.READ_LOAD_INFO, 'load_info'),
  module: kernelObject('opaque', ValueRead.READ_MODULE, 'module'),
  syscall64: { class: 'syscall', read: ValueRead.READ_SCALAR, number: { bytes: 8, signed: false } },
  kernel_cap_t: { ...capabilities, kernelOnly: true },
  cap_inheritable: capabilities,
  cap_permitted: capabilities,
  cap_effective: capabilities,
  linux_binprm: kernelObject('path', ValueRead.READ_BINPRM, 'linux_binprm'),
  data_loc: { class: 'text', read: ValueRead.READ_DATA_LOC },
  net_device: kernelObject('text', ValueRead.READ_NET_DEVICE, 'net_device'),
  bpf_cmd: unsignedInteger(32),
  dentry: kernelObject('path', ValueRead.READ_DENTRY, 'dentry'),
  bpf_prog: kernelObject('opaque', ValueRead.READ_BPF_PROG, 'bpf_prog'),
} satisfies Readonly<Record<string, ArgType>>;

export type ArgTypeName = keyof typeof ARG_TYPES;
export const ARG_TYPE_NAMES = Object.keys(ARG_TYPES) as ArgTypeName[];

/** The row of one type, with the optional members that only some types have. */
export function argType(type: ArgTypeName): ArgType {
  return ARG_TYPES[type];
}

/** The first type that reads this struct. */
export function argTypeForStruct(name: string): ArgTypeName | undefined {
  return ARG_TYPE_NAMES.find((type) => argType(type).structs?.includes(name) === true);
}
