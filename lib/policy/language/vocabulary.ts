/** The closed sets of names in the language: argument types, operators and actions, and their allowed combinations. */
import type { ComparisonOf, HookKind as PublicHookKind } from '../../../types/policy-language.js';
import type { ARG_TYPES, ArgTypeName, ClassComparedAs, ValueClass } from '../../names/arg-types.js';

export {
  ARG_TYPE_NAMES,
  ARG_TYPES,
  argType,
  BUFFER_TYPES,
  COMPARED_AS,
  readFacts,
  isPacketBytes,
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
  algorithmAddress: [...TEXT_OPERATORS, 'Family'],
  capability: ['Equal', 'NotEqual', 'InMap', 'NotInMap', 'CelExpr'],
  capabilities: ['Equal', 'NotEqual', 'Mask', 'CapabilitiesGained'],
  syscall: ['Equal', 'NotEqual', 'InMap', 'NotInMap', 'InRange', 'NotInRange'],
  opaque: [],
  nop: [],
  auto: OPERATORS,
} as const satisfies Record<ValueClass, readonly Operator[]>;

/** The positive operator for each negated operator. */
const POSITIVE_OPERATORS = {
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
} as const satisfies Readonly<Record<Extract<Operator, `Not${string}`>, Operator>>;

export type PositiveOperator = Exclude<Operator, keyof typeof POSITIVE_OPERATORS>;

export function isNegatedOperator(operator: Operator): operator is keyof typeof POSITIVE_OPERATORS {
  return Object.hasOwn(POSITIVE_OPERATORS, operator);
}

/** The operator without its negation. */
export function positiveOperator(operator: Operator): PositiveOperator {
  return isNegatedOperator(operator) ? POSITIVE_OPERATORS[operator] : operator;
}

interface OperatorRule {
  readonly values: 'required' | 'optional' | 'none';
  /** The values of the hook that it compares: the one of its filter, two, or those that its expression names. */
  readonly compares: 'one' | 'two' | 'named';
  /** What the compiler makes of it: tests of one value, or an expression. */
  readonly compiledTo: 'tests' | 'expression';
}

const ONE_VALUE = { values: 'required', compares: 'one', compiledTo: 'tests' } as const satisfies OperatorRule;
const NO_VALUES = { ...ONE_VALUE, values: 'none' } as const;

/** The rules of each operator. A negated operator has those of its positive one. */
const OPERATOR_RULES = {
  Equal: ONE_VALUE,
  Prefix: ONE_VALUE,
  Postfix: ONE_VALUE,
  GreaterThan: ONE_VALUE,
  LessThan: ONE_VALUE,
  GT: ONE_VALUE,
  LT: ONE_VALUE,
  Mask: ONE_VALUE,
  SPort: ONE_VALUE,
  SPortPriv: NO_VALUES,
  DPort: ONE_VALUE,
  DPortPriv: NO_VALUES,
  SAddr: ONE_VALUE,
  DAddr: ONE_VALUE,
  Protocol: ONE_VALUE,
  Family: ONE_VALUE,
  State: ONE_VALUE,
  InMap: ONE_VALUE,
  CapabilitiesGained: { values: 'optional', compares: 'two', compiledTo: 'expression' },
  InRange: ONE_VALUE,
  SubString: ONE_VALUE,
  SubStringIgnCase: ONE_VALUE,
  CelExpr: { values: 'required', compares: 'named', compiledTo: 'expression' },
  FileType: ONE_VALUE,
} as const satisfies Readonly<Record<PositiveOperator, OperatorRule>>;

export function operatorRule(operator: Operator): OperatorRule {
  return OPERATOR_RULES[positiveOperator(operator)];
}

/** The operators that become an expression. */
export type ExpressionOperator = {
  [O in PositiveOperator]: (typeof OPERATOR_RULES)[O]['compiledTo'] extends 'expression' ? O : never;
}[PositiveOperator];

export function isExpressionOperator(operator: Operator): operator is ExpressionOperator {
  return operatorRule(operator).compiledTo === 'expression';
}

type OperatorOfClass<C extends ValueClass> = (typeof OPERATORS_BY_CLASS)[C][number];

/** The operators that can compare values of these types. */
export type OperatorOfType<T extends ArgTypeName> = OperatorOfClass<(typeof ARG_TYPES)[T]['class']>;

/** The positive operators that become tests of a number, of a string or path, or of a socket or its address. */
export type NumberOperator = TestOperator<ClassComparedAs<'number'>>;
export type StringOperator = TestOperator<ClassComparedAs<'string' | 'path'>>;
export type NetOperator = TestOperator<ClassComparedAs<'socket' | 'address'>>;
type TestOperator<C extends ValueClass> = Exclude<Extract<OperatorOfClass<C>, PositiveOperator>, ExpressionOperator>;

type Nothing<T extends never> = T;
/** The operators that a policy in code can use for a type. CapabilitiesGained compares two values, so it is apart. */
type PublicOperator<T extends ArgTypeName> = ComparisonOf<T>['operator'] | 'CapabilitiesGained';
type TableOperator<T extends ArgTypeName> = OperatorOfType<T> | 'CapabilitiesGained';
/** @public Only the compiler uses it. */
export type VocabularyChecks = [
  /** Each operator compares values of some class. */
  Nothing<Exclude<Operator, OperatorOfClass<Exclude<ValueClass, 'auto'>>>>,
  /** ComparisonOf of the public types has the operators of OPERATORS_BY_CLASS. The names are those of wrong types. */
  Nothing<
    {
      [T in Exclude<ArgTypeName, 'auto'>]: [PublicOperator<T>, TableOperator<T>] extends [
        TableOperator<T>,
        PublicOperator<T>,
      ]
        ? never
        : T;
    }[Exclude<ArgTypeName, 'auto'>]
  >,
  Nothing<Exclude<HookKind, PublicHookKind>>,
  Nothing<Exclude<PublicHookKind, HookKind>>,
];

export const BINARY_OPERATORS = ['In', 'NotIn', 'Prefix', 'NotPrefix', 'Postfix', 'NotPostfix'] as const;
/** The operators of matchCmdArgs. */
export const CMD_ARG_OPERATORS = ['Equal', 'NotEqual', 'Prefix', 'NotPrefix', 'Postfix', 'NotPostfix'] as const;
export const SET_OPERATORS = ['In', 'NotIn'] as const;
export const LABEL_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;
export const CAPABILITY_SET_NAMES = ['Effective', 'Inheritable', 'Permitted'] as const;
export const LIST_TYPES = ['syscalls', 'generated_syscalls', 'generated_ftrace'] as const;

export const RATE_LIMIT_SCOPES = ['thread', 'process', 'global'] as const;
/** The owners of a mark. */
export const MARK_SCOPES = ['process', 'container'] as const;
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
  'Mark',
  'Unmark',
  'Count',
] as const;
export type ActionName = (typeof POLICY_ACTIONS)[number];

export const COUNT_KINDS = ['counter', 'sum', 'histogram'] as const;
export type CountKind = (typeof COUNT_KINDS)[number];
/** The operators of matchDuration. */
export const DURATION_OPERATORS = ['GT', 'LT'] as const;

/** The fields of a selector that a macro cannot have. A macro contains filters only. */
export const NOT_IN_MACROS = ['macros', 'matchActions', 'matchReturnActions'] as const;

export const HOOK_KINDS = ['kprobes', 'fentries', 'tracepoints', 'uprobes', 'usdts', 'lsmhooks'] as const;
export type HookKind = (typeof HOOK_KINDS)[number];

interface HookKindRule {
  /** Where the traced code is. */
  readonly traces: 'kernel' | 'program';
  /** True if hooks can have `data`, and a second BPF program at the return of the function. */
  readonly hasReturn: boolean;
}

/** The properties of each kind of hook. */
const HOOK_KIND_RULES: Readonly<Record<HookKind, HookKindRule>> = {
  kprobes: { traces: 'kernel', hasReturn: true },
  fentries: { traces: 'kernel', hasReturn: true },
  tracepoints: { traces: 'kernel', hasReturn: false },
  uprobes: { traces: 'program', hasReturn: true },
  usdts: { traces: 'program', hasReturn: false },
  lsmhooks: { traces: 'kernel', hasReturn: false },
};

/** True if hooks of this kind trace a program instead of the kernel. */
export function isProgramHook(kind: HookKind): boolean {
  return HOOK_KIND_RULES[kind].traces === 'program';
}

/** True if hooks of this kind can have `data`, and a second BPF program at the return of the function. */
export function hasReturn(kind: HookKind): boolean {
  return HOOK_KIND_RULES[kind].hasReturn;
}
