/**
 * The matrix: each argument type with each of its operators, its hook, an action that must match, and one that must
 * not. test/kernel/matrix.test.ts runs it, and docs/policy.md shows it. Negated operators use the same rows with the
 * actions swapped.
 */
import {
  isNegatedOperator,
  positiveOperator,
  OPERATORS_BY_CLASS,
  ARG_TYPES,
  type ArgTypeName,
  type Operator,
  type OperatorOfType,
  type PositiveOperator,
} from '../../lib/policy/language/vocabulary.js';
import { NETWORK } from './matrix-network.js';
import { NUMBERS } from './matrix-numbers.js';
import { OBJECTS } from './matrix-objects.js';
import { OTHER_SOURCES } from './matrix-sources.js';
import { STRINGS } from './matrix-strings.js';

/** An action of test/kernel/actions.c with its arguments. */
export type Action = readonly (string | number | bigint)[];

export interface Value {
  readonly index: number;
  readonly type: ArgTypeName;
  readonly resolve?: string;
  readonly source?: string;
  readonly btfType?: string;
  readonly btfTypeModule?: string;
  readonly sizeArgIndex?: number;
  readonly returnCopy?: true;
  readonly maxData?: true;
}

export interface Hook {
  /** The function. If its name differs between kernels, one name per kernel. */
  readonly call: string | Readonly<Record<string, string>>;
  readonly syscall?: true;
  /** The tested value is the first one in its list. */
  readonly args: readonly Value[];
  readonly data?: Value;
  readonly returnArg?: Value;
}

/** A test of an operator. */
export interface OperatorTest {
  readonly values?: readonly string[];
  readonly match: Action;
  readonly miss: Action;
  /** Replaces the hook of the subject. */
  readonly hook?: Hook;
  /** Positions of args that are compared with each other. */
  readonly args?: readonly number[];
}

export interface Row extends OperatorTest {
  readonly operator: Operator;
}

/** Operators with two names. The tests of the first one are those of the second one, too. */
const SHORT_NAMES = { GreaterThan: 'GT', LessThan: 'LT' } as const satisfies Partial<Record<Operator, Operator>>;

/** The operators of a type that need tests of their own. */
type TestedOperator<T extends ArgTypeName> = Exclude<
  Extract<OperatorOfType<T>, PositiveOperator>,
  (typeof SHORT_NAMES)[keyof typeof SHORT_NAMES]
>;
export type Tests = Readonly<Partial<Record<PositiveOperator, readonly OperatorTest[]>>>;
/** The tests of each operator of a type. */
export type TestsOfType<T extends ArgTypeName> = Readonly<Record<TestedOperator<T>, readonly OperatorTest[]>>;

/** The expected value in the event: fields of the typed argument, and of its JSON. */
export interface Expected {
  readonly action: Action;
  readonly value: Readonly<Record<string, unknown>>;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Subject {
  readonly title: string;
  readonly type: ArgTypeName;
  /** The list that contains the tested value. */
  readonly source: 'args' | 'data' | 'return';
  readonly hook: Hook;
  readonly tests: Tests;
  readonly expected: readonly Expected[];
  /** If set, the subject is tested only on these kernels, or only with this mechanism. */
  readonly kernels?: readonly string[];
  readonly attach?: 'kprobe';
}

/** A subject that tests each operator of a type. */
export type CompleteSubject<T extends ArgTypeName> = Subject & { readonly tests: TestsOfType<T> };

/** The tests as rows, together with derived operators: negations and short names. */
export function subjectRows({ tests, type }: Pick<Subject, 'tests' | 'type'>): Row[] {
  const allowed: readonly Operator[] = OPERATORS_BY_CLASS[ARG_TYPES[type].class];
  const rows = (Object.entries(tests) as [PositiveOperator, readonly OperatorTest[]][]).flatMap(([operator, list]) =>
    list.map((test): Row => ({ operator, ...test })),
  );
  return rows.flatMap((row) => {
    const derived: Row[] = [];
    const negated = allowed.find((each) => isNegatedOperator(each) && positiveOperator(each) === row.operator);
    if (negated !== undefined) derived.push({ ...row, operator: negated, match: row.miss, miss: row.match });
    const short: Operator | undefined = (SHORT_NAMES as Partial<Record<Operator, Operator>>)[row.operator];
    if (short !== undefined) derived.push({ ...row, operator: short });
    return [row, ...derived];
  });
}

/** Types that every kernel refuses, with their codes. */
export const REFUSED_TYPES = {
  data_loc: 'UNSUPPORTED_ARG_TYPE',
} as const satisfies Readonly<Partial<Record<ArgTypeName, string>>>;

/** The kernel says which type `auto` is. */
type TestedType = Exclude<ArgTypeName, keyof typeof REFUSED_TYPES | 'auto'>;

/** Each type as an argument. The first subject of a type tests each of its operators. */
const SUBJECTS_BY_TYPE = { ...NUMBERS, ...STRINGS, ...NETWORK, ...OBJECTS } satisfies {
  readonly [T in TestedType]: readonly [CompleteSubject<T>, ...Subject[]];
};

/** Types as arguments. SUBJECTS also has values from other sources. */
export const TYPES: readonly Subject[] = Object.values<readonly Subject[]>(SUBJECTS_BY_TYPE).flat();
export const SUBJECTS: readonly Subject[] = [...TYPES, ...OTHER_SOURCES];
