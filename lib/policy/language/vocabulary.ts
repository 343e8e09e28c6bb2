/** The closed vocabularies of the language: argument types, operators, actions, and which of them can be combined. */

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

export const ARG_TYPES = {
  auto: { class: 'auto' },
  int: { class: 'signed', bits: 32 },
  sint8: { class: 'signed', bits: 8 },
  int8: { class: 'signed', bits: 8 },
  uint8: { class: 'unsigned', bits: 8 },
  sint16: { class: 'signed', bits: 16 },
  int16: { class: 'signed', bits: 16 },
  uint16: { class: 'unsigned', bits: 16 },
  uint32: { class: 'unsigned', bits: 32 },
  sint32: { class: 'signed', bits: 32 },
  int32: { class: 'signed', bits: 32 },
  ulong: { class: 'unsigned', bits: 64 },
  uint64: { class: 'unsigned', bits: 64 },
  size_t: { class: 'unsigned', bits: 64 },
  long: { class: 'signed', bits: 64 },
  sint64: { class: 'signed', bits: 64 },
  int64: { class: 'signed', bits: 64 },
  char_buf: { class: 'text' },
  char_iovec: { class: 'text' },
  skb: { class: 'skb' },
  sock: { class: 'sock' },
  sockaddr: { class: 'sockaddr' },
  socket: { class: 'sock' },
  sockaddr_un: { class: 'text' },
  string: { class: 'text' },
  fd: { class: 'path' },
  file: { class: 'file' },
  filename: { class: 'text' },
  path: { class: 'file' },
  nop: { class: 'nop' },
  bpf_attr: { class: 'opaque' },
  perf_event: { class: 'opaque' },
  bpf_map: { class: 'opaque' },
  user_namespace: { class: 'opaque' },
  capability: { class: 'capability' },
  kiocb: { class: 'opaque' },
  iov_iter: { class: 'opaque' },
  cred: { class: 'opaque' },
  const_buf: { class: 'text' },
  load_info: { class: 'opaque' },
  module: { class: 'opaque' },
  syscall64: { class: 'syscall' },
  kernel_cap_t: { class: 'capabilities' },
  cap_inheritable: { class: 'capabilities' },
  cap_permitted: { class: 'capabilities' },
  cap_effective: { class: 'capabilities' },
  linux_binprm: { class: 'path' },
  data_loc: { class: 'text' },
  net_device: { class: 'text' },
  bpf_cmd: { class: 'unsigned', bits: 32 },
  dentry: { class: 'path' },
  bpf_prog: { class: 'opaque' },
} as const satisfies Record<string, TypeFacts>;

export type ArgTypeName = keyof typeof ARG_TYPES;
export const ARG_TYPE_NAMES = Object.keys(ARG_TYPES) as ArgTypeName[];

/** All operators, in the order of the schema of the Kubernetes resource. */
export const OPERATORS = [
  'Equal', 'NotEqual', 'Prefix', 'NotPrefix', 'Postfix', 'NotPostfix', 'GreaterThan', 'LessThan', 'GT', 'LT', 'Mask',
  'SPort', 'NotSPort', 'SPortPriv', 'NotSportPriv', 'DPort', 'NotDPort', 'DPortPriv', 'NotDPortPriv', 'SAddr', 'NotSAddr',
  'DAddr', 'NotDAddr', 'Protocol', 'Family', 'State', 'InMap', 'NotInMap', 'CapabilitiesGained', 'InRange', 'NotInRange',
  'SubString', 'SubStringIgnCase', 'CelExpr', 'FileType', 'NotFileType',
] as const; // prettier-ignore
export type Operator = (typeof OPERATORS)[number];

const INTEGER = [
  'Equal',
  'NotEqual',
  'GreaterThan',
  'LessThan',
  'GT',
  'LT',
  'Mask',
  'InMap',
  'NotInMap',
  'InRange',
  'NotInRange',
  'CelExpr',
] as const satisfies readonly Operator[];
const TEXT = [
  'Equal',
  'NotEqual',
  'Prefix',
  'NotPrefix',
  'Postfix',
  'NotPostfix',
  'SubString',
  'SubStringIgnCase',
] as const satisfies readonly Operator[];
const ADDRESS = [
  'SPort',
  'NotSPort',
  'SPortPriv',
  'NotSportPriv',
  'SAddr',
  'NotSAddr',
  'Family',
] as const satisfies readonly Operator[];
const PACKET = [
  ...ADDRESS,
  'DPort',
  'NotDPort',
  'DPortPriv',
  'NotDPortPriv',
  'DAddr',
  'NotDAddr',
  'Protocol',
] as const satisfies readonly Operator[];

/** The operators of matchArgs, matchReturnArgs and matchData for each class of values. */
export const OPERATORS_OF = {
  signed: INTEGER,
  unsigned: INTEGER,
  text: TEXT,
  path: TEXT,
  file: [...TEXT, 'FileType', 'NotFileType'],
  sock: [...PACKET, 'State'],
  skb: PACKET,
  sockaddr: ADDRESS,
  capability: ['Equal', 'NotEqual', 'InMap', 'NotInMap', 'CelExpr'],
  capabilities: ['Equal', 'NotEqual', 'Mask', 'CapabilitiesGained'],
  syscall: ['Equal', 'NotEqual', 'InMap', 'NotInMap', 'InRange', 'NotInRange'],
  opaque: [],
  nop: [],
  auto: OPERATORS,
} as const satisfies Record<ValueClass, readonly Operator[]>;

/** Operators that take no values. */
export const OPERATORS_WITHOUT_VALUES: ReadonlySet<string> = new Set<Operator>([
  'SPortPriv',
  'NotSportPriv',
  'DPortPriv',
  'NotDPortPriv',
]);

/** The positive operator for each negated operator. */
export const NEGATED: Readonly<Partial<Record<Operator, Operator>>> = {
  NotEqual: 'Equal',
  NotPrefix: 'Prefix',
  NotPostfix: 'Postfix',
  NotSPort: 'SPort',
  NotSportPriv: 'SPortPriv',
  NotDPort: 'DPort',
  NotDPortPriv: 'DPortPriv',
  NotSAddr: 'SAddr',
  NotDAddr: 'DAddr',
  NotInMap: 'InMap',
  NotInRange: 'InRange',
  NotFileType: 'FileType',
};

export const BINARY_OPERATORS = ['In', 'NotIn', 'Prefix', 'NotPrefix', 'Postfix', 'NotPostfix'] as const;
export const SET_OPERATORS = ['In', 'NotIn'] as const;
export const LABEL_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;
export const CAPABILITY_SETS = ['Effective', 'Inheritable', 'Permitted'] as const;
export const LIST_TYPES = ['syscalls', 'generated_syscalls', 'generated_ftrace'] as const;

export const RATE_LIMIT_SCOPES = ['thread', 'process', 'global'] as const;
export const RETURN_ARG_ACTIONS = ['TrackSock', 'UntrackSock'] as const;

export const ACTIONS = [
  'Post',
  'Sigkill',
  'Override',
  'GetUrl',
  'DnsLookup',
  'NoPost',
  'Signal',
  'TrackSock',
  'UntrackSock',
  'NotifyEnforcer',
  'CleanupEnforcerNotification',
  'Set',
] as const;
export type ActionName = (typeof ACTIONS)[number];

export const HOOK_KINDS = ['kprobes', 'fentries', 'tracepoints', 'uprobes', 'usdts', 'lsmhooks'] as const;
export type HookKind = (typeof HOOK_KINDS)[number];
