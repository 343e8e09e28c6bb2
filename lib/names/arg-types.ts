/** The types of arguments, a row each: how values are compared, how the BPF programs read them, what a parameter can point to. */
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
  /** Of a number whose class is not `signed` or `unsigned`. */
  readonly number?: { readonly bytes: number; readonly signed: boolean };
  /** True if the number is in memory and the parameter points to it. */
  readonly pointed?: true;
  /** The structs that a parameter can point to. */
  readonly structs?: readonly string[];
  /** True for an object that only the kernel has: a system call receives user addresses and numbers. */
  readonly kernelOnly?: true;
}

const signed = (bits: TypeFacts['bits'] & number): ArgType => ({ class: 'signed', bits, read: ValueRead.READ_SCALAR });
const unsigned = (bits: TypeFacts['bits'] & number): ArgType => ({
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
/** An object that only the kernel has, with the struct of its name. */
const object = (valueClass: ValueClass, read: number, ...structs: readonly string[]): ArgType => ({
  class: valueClass,
  read,
  structs,
  kernelOnly: true,
});
const SOCKADDR = ['sockaddr', '__kernel_sockaddr_storage', 'sockaddr_storage', 'sockaddr_in', 'sockaddr_in6'];

export const ARG_TYPES = {
  auto: { class: 'auto', read: ValueRead.READ_NOTHING }, // the policy compiler refuses it
  int: signed(32),
  sint8: signed(8),
  int8: signed(8),
  uint8: unsigned(8),
  sint16: signed(16),
  int16: signed(16),
  uint16: unsigned(16),
  uint32: unsigned(32),
  sint32: signed(32),
  int32: signed(32),
  ulong: unsigned(64),
  uint64: unsigned(64),
  size_t: unsigned(64),
  long: signed(64),
  sint64: signed(64),
  int64: signed(64),
  char_buf: { class: 'text', read: ValueRead.READ_BUFFER },
  char_iovec: { class: 'text', read: ValueRead.READ_IOVEC },
  skb: object('skb', ValueRead.READ_SKB, 'sk_buff', '__sk_buff'),
  sock: object('sock', ValueRead.READ_SOCK, 'sock', 'sock_common', 'tcp_sock', 'inet_sock', 'udp_sock'),
  sockaddr: { class: 'sockaddr', read: ValueRead.READ_SOCKADDR, structs: [...SOCKADDR, 'sockaddr_unsized'] },
  socket: object('sock', ValueRead.READ_SOCKET, 'socket'),
  sockaddr_un: {
    class: 'unixAddress',
    read: ValueRead.READ_SOCKADDR_UN,
    structs: ['sockaddr_un', 'sockaddr', 'sockaddr_unsized'],
  },
  string: { class: 'text', read: ValueRead.READ_STRING },
  // `resolve` can find the descriptor's number in memory
  fd: { class: 'path', read: ValueRead.READ_FD, number: { bytes: 4, signed: true } },
  file: object('file', ValueRead.READ_FILE, 'file'),
  filename: object('text', ValueRead.READ_FILENAME, 'filename'),
  path: object('file', ValueRead.READ_PATH, 'path'),
  nop: { class: 'nop', read: ValueRead.READ_NOTHING },
  bpf_attr: { class: 'opaque', read: ValueRead.READ_BPF_ATTR, structs: ['bpf_attr'] },
  perf_event: object('opaque', ValueRead.READ_PERF_EVENT, 'perf_event'),
  bpf_map: object('opaque', ValueRead.READ_BPF_MAP, 'bpf_map'),
  user_namespace: object('opaque', ValueRead.READ_USER_NAMESPACE, 'user_namespace'),
  capability: { class: 'capability', read: ValueRead.READ_SCALAR, number: { bytes: 4, signed: true } },
  kiocb: object('opaque', ValueRead.READ_KIOCB, 'kiocb'),
  iov_iter: { class: 'opaque', read: ValueRead.READ_IOV_ITER, structs: ['iov_iter'] },
  cred: object('opaque', ValueRead.READ_CRED, 'cred'),
  const_buf: { class: 'text', read: ValueRead.READ_BUFFER },
  load_info: object('opaque', ValueRead.READ_LOAD_INFO, 'load_info'),
  module: object('opaque', ValueRead.READ_MODULE, 'module'),
  syscall64: { class: 'syscall', read: ValueRead.READ_SCALAR, number: { bytes: 8, signed: false } },
  kernel_cap_t: { ...capabilities, kernelOnly: true },
  cap_inheritable: capabilities,
  cap_permitted: capabilities,
  cap_effective: capabilities,
  linux_binprm: object('path', ValueRead.READ_BINPRM, 'linux_binprm'),
  data_loc: { class: 'text', read: ValueRead.READ_DATA_LOC },
  net_device: object('text', ValueRead.READ_NET_DEVICE, 'net_device'),
  bpf_cmd: unsigned(32),
  dentry: object('path', ValueRead.READ_DENTRY, 'dentry'),
  bpf_prog: object('opaque', ValueRead.READ_BPF_PROG, 'bpf_prog'),
} satisfies Readonly<Record<string, ArgType>>;

export type ArgTypeName = keyof typeof ARG_TYPES;
export const ARG_TYPE_NAMES = Object.keys(ARG_TYPES) as ArgTypeName[];

/** The facts of one type, of which not every type has each. */
export function argType(type: ArgTypeName): ArgType {
  return ARG_TYPES[type];
}

/** The first type that reads this struct. */
export function typeOfStruct(name: string): ArgTypeName | undefined {
  return ARG_TYPE_NAMES.find((type) => argType(type).structs?.includes(name) === true);
}
