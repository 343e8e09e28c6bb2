/** The table of argument types: how values are compared, how BPF programs read them, and what a parameter can point to. */
import type {
  ArgumentType,
  CapabilitySetType,
  FileType,
  OpaqueType,
  PathType,
  SignedType,
  SocketType,
  TextType,
  UnsignedType,
} from '../../types/policy-language.js';
import { ValueRead } from './abi.gen.js';
import { VALUE_READS, type ReadFacts, type ReadOfForm, type ValueReadNumber } from './value-reads.js';

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
  | 'algorithmAddress'
  | 'capability'
  | 'capabilities'
  | 'syscall'
  | 'opaque'
  | 'nop'
  | 'auto';

/** How filters compare the values of each class. */
export const COMPARED_AS = {
  signed: 'number',
  unsigned: 'number',
  capability: 'number',
  capabilities: 'number',
  syscall: 'number',
  text: 'string',
  unixAddress: 'string',
  algorithmAddress: 'string',
  path: 'path',
  file: 'path',
  sock: 'socket',
  skb: 'socket',
  sockaddr: 'address',
  opaque: 'nothing',
  nop: 'nothing',
  auto: 'nothing',
} as const satisfies Readonly<Record<ValueClass, 'number' | 'string' | 'path' | 'socket' | 'address' | 'nothing'>>;

/** The classes whose values filters compare in one of these ways. */
export type ClassComparedAs<K extends (typeof COMPARED_AS)[ValueClass]> = {
  [C in ValueClass]: (typeof COMPARED_AS)[C] extends K ? C : never;
}[ValueClass];

export interface TypeFacts {
  readonly class: ValueClass;
  /** Width of an integer in the kernel. */
  readonly bits?: 8 | 16 | 32 | 64;
}

interface ArgType extends TypeFacts {
  /** How a BPF program reads the value. */
  readonly read: ValueReadNumber;
  /** Size and sign of a number whose class is not `signed` or `unsigned`. */
  readonly number?: { readonly bytes: number; readonly signed: boolean };
  /** True if the number is in memory and the parameter points to it. */
  readonly pointed?: true;
  /** The structs that a parameter can point to. */
  readonly structs?: readonly string[];
  /**
   * The functions that can receive such a value: those of the kernel only; also system calls, which receive user
   * addresses and numbers; also functions of programs.
   */
  readonly receivers: 'kernel' | 'syscalls' | 'programs';
}

/** A row of the table. A number needs its size, and a struct its names. */
type Row = ArgType &
  (
    | { readonly read: typeof ValueRead.READ_SCALAR; readonly bits: number }
    | { readonly read: ReadOfForm<'number'>; readonly number: object }
    | { readonly read: ReadOfForm<'struct'>; readonly structs: readonly string[] }
    | { readonly read: Exclude<ValueReadNumber, ReadOfForm<'number' | 'struct'>> }
  );

const signedInteger = <B extends TypeFacts['bits'] & number>(bits: B) =>
  ({ class: 'signed', bits, read: ValueRead.READ_SCALAR, receivers: 'programs' }) as const;
const unsignedInteger = <B extends TypeFacts['bits'] & number>(bits: B) =>
  ({ class: 'unsigned', bits, read: ValueRead.READ_SCALAR, receivers: 'programs' }) as const;
const capabilities = {
  class: 'capabilities',
  read: ValueRead.READ_SCALAR,
  number: { bytes: 8, signed: false },
  pointed: true,
  receivers: 'syscalls',
} as const;
/** An object that only the kernel has. `structs` are the names of its structs. */
const kernelObject = <C extends ValueClass, R extends ReadOfForm<'struct'>>(
  valueClass: C,
  read: R,
  ...structs: readonly string[]
) => ({ class: valueClass, read, structs, receivers: 'kernel' }) as const;
const SOCKADDR = ['sockaddr', '__kernel_sockaddr_storage', 'sockaddr_storage', 'sockaddr_in', 'sockaddr_in6'];

export const ARG_TYPES = {
  auto: { class: 'auto', read: ValueRead.READ_NOTHING, receivers: 'programs' }, // the policy compiler infers the type first
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
  char_buf: { class: 'text', read: ValueRead.READ_BUFFER, receivers: 'programs' },
  char_iovec: { class: 'text', read: ValueRead.READ_IOVEC, receivers: 'programs' },
  skb: kernelObject('skb', ValueRead.READ_SKB, 'sk_buff', '__sk_buff'),
  sock: kernelObject('sock', ValueRead.READ_SOCK, 'sock', 'sock_common', 'tcp_sock', 'inet_sock', 'udp_sock'),
  sockaddr: {
    class: 'sockaddr',
    read: ValueRead.READ_SOCKADDR,
    structs: [...SOCKADDR, 'sockaddr_unsized'],
    receivers: 'programs',
  },
  socket: kernelObject('sock', ValueRead.READ_SOCKET, 'socket'),
  sockaddr_un: {
    class: 'unixAddress',
    read: ValueRead.READ_SOCKADDR_UN,
    structs: ['sockaddr_un', 'sockaddr', 'sockaddr_unsized'],
    receivers: 'programs',
  },
  sockaddr_alg: {
    class: 'algorithmAddress',
    read: ValueRead.READ_SOCKADDR_ALG,
    structs: ['sockaddr_alg', 'sockaddr', 'sockaddr_unsized'],
    receivers: 'programs',
  },
  string: { class: 'text', read: ValueRead.READ_STRING, receivers: 'programs' },
  // With `resolve`, the number of the descriptor is read from memory.
  fd: { class: 'path', read: ValueRead.READ_FD, number: { bytes: 4, signed: true }, receivers: 'programs' },
  file: kernelObject('file', ValueRead.READ_FILE, 'file'),
  filename: kernelObject('text', ValueRead.READ_FILENAME, 'filename'),
  path: kernelObject('file', ValueRead.READ_PATH, 'path'),
  nop: { class: 'nop', read: ValueRead.READ_NOTHING, receivers: 'programs' },
  bpf_attr: { class: 'opaque', read: ValueRead.READ_BPF_ATTR, structs: ['bpf_attr'], receivers: 'syscalls' },
  perf_event: kernelObject('opaque', ValueRead.READ_PERF_EVENT, 'perf_event'),
  bpf_map: kernelObject('opaque', ValueRead.READ_BPF_MAP, 'bpf_map'),
  user_namespace: kernelObject('opaque', ValueRead.READ_USER_NAMESPACE, 'user_namespace'),
  capability: {
    class: 'capability',
    read: ValueRead.READ_SCALAR,
    number: { bytes: 4, signed: true },
    receivers: 'programs',
  },
  kiocb: kernelObject('opaque', ValueRead.READ_KIOCB, 'kiocb'),
  iov_iter: { class: 'opaque', read: ValueRead.READ_IOV_ITER, structs: ['iov_iter'], receivers: 'syscalls' },
  cred: kernelObject('opaque', ValueRead.READ_CRED, 'cred'),
  const_buf: { class: 'text', read: ValueRead.READ_BUFFER, receivers: 'programs' },
  load_info: kernelObject('opaque', ValueRead.READ_LOAD_INFO, 'load_info'),
  module: kernelObject('opaque', ValueRead.READ_MODULE, 'module'),
  syscall64: {
    class: 'syscall',
    read: ValueRead.READ_SCALAR,
    number: { bytes: 8, signed: false },
    receivers: 'programs',
  },
  kernel_cap_t: { ...capabilities, receivers: 'kernel' },
  cap_inheritable: capabilities,
  cap_permitted: capabilities,
  cap_effective: capabilities,
  linux_binprm: kernelObject('path', ValueRead.READ_BINPRM, 'linux_binprm'),
  data_loc: { class: 'text', read: ValueRead.READ_DATA_LOC, receivers: 'programs' },
  net_device: kernelObject('text', ValueRead.READ_NET_DEVICE, 'net_device'),
  bpf_cmd: unsignedInteger(32),
  dentry: kernelObject('path', ValueRead.READ_DENTRY, 'dentry'),
  bpf_prog: kernelObject('opaque', ValueRead.READ_BPF_PROG, 'bpf_prog'),
} satisfies Readonly<Record<ArgumentType, Row>>;

export type ArgTypeName = keyof typeof ARG_TYPES;
export const ARG_TYPE_NAMES = Object.keys(ARG_TYPES) as ArgTypeName[];

/** The row of one type, with the optional members that only some types have. */
export function argType(type: ArgTypeName): ArgType {
  return ARG_TYPES[type];
}

/** The types whose row has one of these classes. */
export type TypeOfClass<C extends ValueClass> = {
  [T in ArgTypeName]: (typeof ARG_TYPES)[T]['class'] extends C ? T : never;
}[ArgTypeName];

type Check<Class extends Group, Group> = [Class, Group];
/** @public Only the compiler uses it: the groups of the public types are the classes of this table. */
export type GroupChecks = [
  Check<TypeOfClass<'signed'>, SignedType>,
  Check<TypeOfClass<'unsigned'>, UnsignedType>,
  Check<TypeOfClass<'text'>, TextType>,
  Check<TypeOfClass<'path'>, PathType>,
  Check<TypeOfClass<'file'>, FileType>,
  Check<TypeOfClass<'sock'>, SocketType>,
  Check<TypeOfClass<'capabilities'>, CapabilitySetType>,
  Check<TypeOfClass<'opaque' | 'nop'>, OpaqueType>,
];

/** What a BPF program reads of a value of this type. */
export function readFacts(type: ArgTypeName): ReadFacts {
  return VALUE_READS[ARG_TYPES[type].read];
}

const typesOfForm = (...forms: readonly ReadFacts['form'][]): ArgTypeName[] =>
  ARG_TYPE_NAMES.filter((type) => forms.includes(readFacts(type).form));

/** Buffers whose size is a parameter or the return value, because their type has no size. */
/** True for the bytes of a packet, whose struct has their number: `resolve: data` of a parameter with `btfType: sk_buff`. */
export function isPacketBytes(value: {
  readonly type?: ArgTypeName;
  readonly resolve?: string;
  readonly btfType?: string;
  readonly sizeArgIndex?: number;
}): boolean {
  const { type, resolve, btfType, sizeArgIndex = 0 } = value;
  return (
    (type === 'char_buf' || type === 'const_buf') && resolve === 'data' && btfType === 'sk_buff' && sizeArgIndex === 0
  );
}

export const SIZED_TYPES: ReadonlySet<ArgTypeName> = new Set(typesOfForm('bytes', 'iovecs'));

/** All buffers, including the type whose own struct contains its size. */
export const BUFFER_TYPES: ReadonlySet<ArgTypeName> = new Set(
  ARG_TYPE_NAMES.filter((type) => readFacts(type).class === 'buffer'),
);

/** The first type that reads this struct. */
export function argTypeForStruct(name: string): ArgTypeName | undefined {
  return ARG_TYPE_NAMES.find((type) => argType(type).structs?.includes(name) === true);
}
