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

export interface Row {
  readonly operator: Operator;
  readonly values?: readonly string[];
  readonly match: Action;
  readonly miss: Action;
  /** Replaces the hook of the subject. */
  readonly hook?: Hook;
  /** Positions of args that are compared with each other. */
  readonly args?: readonly number[];
}

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
  readonly rows: readonly Row[];
  readonly expected: readonly Expected[];
  /** If set, the subject is tested only on these kernels, or only with this mechanism. */
  readonly kernels?: readonly string[];
  readonly attach?: 'kprobe';
}

/** The rows together with derived operators: negations and short names. */
export function addDerivedRows(rows: readonly Row[], type: ArgTypeName): Row[] {
  const allowed: readonly Operator[] = OPERATORS_BY_CLASS[ARG_TYPES[type].class];
  return rows.flatMap((row) => {
    const derived: Row[] = [];
    const negated = allowed.find((each) => isNegatedOperator(each) && positiveOperator(each) === row.operator);
    if (negated !== undefined) derived.push({ ...row, operator: negated, match: row.miss, miss: row.match });
    const short = row.operator === 'GreaterThan' ? 'GT' : row.operator === 'LessThan' ? 'LT' : undefined;
    if (short !== undefined) derived.push({ ...row, operator: short });
    return [row, ...derived];
  });
}

/** Types as arguments. SUBJECTS also has values from other sources. */
export const TYPES: readonly Subject[] = [...NUMBERS, ...STRINGS, ...NETWORK, ...OBJECTS];
export const SUBJECTS: readonly Subject[] = [...TYPES, ...OTHER_SOURCES];

/** Types that every kernel refuses, with their codes. */
export const REFUSED_TYPES: Readonly<Partial<Record<ArgTypeName, string>>> = {
  data_loc: 'UNSUPPORTED_ARG_TYPE',
};
