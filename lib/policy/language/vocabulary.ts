/** The closed sets of names in the language: argument types, operators and actions, and their allowed combinations. */
import type { ValueClass } from '../../names/arg-types.js';

export {
  ARG_TYPE_NAMES,
  ARG_TYPES,
  argType,
  BUFFER_TYPES,
  COMPARED_AS,
  readFacts,
  SIZED_TYPES,
  type ArgTypeName,
  type ClassComparedAs,
  type TypeFacts,
  type ValueClass,
} from '../../names/arg-types.js';

/** All operators, in the order of the schema of the Kubernetes resource. */
export const OPERATORS = [
  'Equal', 'NotEqual', 'Prefix', 'NotPrefix', 'Postfix', 'NotPostfix', 'GreaterThan', 'LessThan', 'GT', 'LT', 'Mask',
  'SPort', 'NotSPort', 'SPortPriv', 'NotSportPriv', 'DPort', 'NotDPort', 'DPortPriv', 'NotDPortPriv', 'SAddr', 'NotSAddr',
  'DAddr', 'NotDAddr', 'Protocol', 'Family', 'State', 'InMap', 'NotInMap', 'CapabilitiesGained', 'InRange', 'NotInRange',
  'SubString', 'SubStringIgnCase', 'CelExpr', 'FileType', 'NotFileType',
] as const; // prettier-ignore
export type Operator = (typeof OPERATORS)[number];

const INTEGER_OPERATORS = [
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
const TEXT_OPERATORS = [
  'Equal',
  'NotEqual',
  'Prefix',
  'NotPrefix',
  'Postfix',
  'NotPostfix',
  'SubString',
  'SubStringIgnCase',
] as const satisfies readonly Operator[];
const ADDRESS_OPERATORS = [
  'SPort',
  'NotSPort',
  'SPortPriv',
  'NotSportPriv',
  'SAddr',
  'NotSAddr',
  'Family',
] as const satisfies readonly Operator[];
const PACKET_OPERATORS = [
  ...ADDRESS_OPERATORS,
  'DPort',
  'NotDPort',
  'DPortPriv',
  'NotDPortPriv',
  'DAddr',
  'NotDAddr',
  'Protocol',
] as const satisfies readonly Operator[];

/** The operators of matchArgs, matchReturnArgs and matchData for each class of values. */
export const OPERATORS_BY_CLASS = {
  signed: INTEGER_OPERATORS,
  unsigned: INTEGER_OPERATORS,
  text: TEXT_OPERATORS,
  path: TEXT_OPERATORS,
  file: [...TEXT_OPERATORS, 'FileType', 'NotFileType'],
  sock: [...PACKET_OPERATORS, 'State'],
  skb: PACKET_OPERATORS,
  sockaddr: ADDRESS_OPERATORS,
  unixAddress: [...TEXT_OPERATORS, 'Family'],
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
export const POSITIVE_OPERATORS: Readonly<Partial<Record<Operator, Operator>>> = {
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
export const CAPABILITY_SET_NAMES = ['Effective', 'Inheritable', 'Permitted'] as const;
export const LIST_TYPES = ['syscalls', 'generated_syscalls', 'generated_ftrace'] as const;

export const RATE_LIMIT_SCOPES = ['thread', 'process', 'global'] as const;
export const RETURN_ARG_ACTIONS = ['TrackSock', 'UntrackSock'] as const;

export const POLICY_ACTIONS = [
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
export type ActionName = (typeof POLICY_ACTIONS)[number];

/** The fields of a selector that a macro cannot have. A macro contains filters only. */
export const NOT_IN_MACROS = ['macros', 'matchActions', 'matchReturnActions'] as const;

export const HOOK_KINDS = ['kprobes', 'fentries', 'tracepoints', 'uprobes', 'usdts', 'lsmhooks'] as const;
export type HookKind = (typeof HOOK_KINDS)[number];
