/**
 * The matrix: each argument type with each of its operators, how to provoke it, an action that must match, and one that must
 * not. test/kernel/matrix.test.ts runs it, docs/policy.md shows it. Negated operators are the same rows with the actions swapped.
 */
import {
  NEGATED,
  OPERATORS_OF,
  ARG_TYPES,
  type ArgTypeName,
  type Operator,
} from '../../lib/policy/language/vocabulary.js';
import { NETWORK } from './matrix-network.js';
import { NUMBERS } from './matrix-numbers.js';
import { OBJECTS } from './matrix-objects.js';
import { PLACES } from './matrix-places.js';
import { TEXTS } from './matrix-texts.js';

/** Words of test/kernel/actions.c. */
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
  /** By kernel where the name differs. */
  readonly call: string | Readonly<Record<string, string>>;
  readonly syscall?: true;
  /** The value that is tested is the first one of its place. */
  readonly args: readonly Value[];
  readonly data?: Value;
  readonly returnArg?: Value;
}

export interface Row {
  readonly operator: Operator;
  readonly values?: readonly string[];
  readonly match: Action;
  readonly miss: Action;
  /** Another one than the subject's. */
  readonly hook?: Hook;
  /** Positions of several args that are compared with each other. */
  readonly args?: readonly number[];
}

/** What the event must tell of the value: fields of the typed argument, and of its JSON. */
export interface Told {
  readonly action: Action;
  readonly value: Readonly<Record<string, unknown>>;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Subject {
  readonly title: string;
  readonly type: ArgTypeName;
  /** Where the value that is tested stands. */
  readonly place: 'args' | 'data' | 'return';
  readonly hook: Hook;
  readonly rows: readonly Row[];
  readonly told: readonly Told[];
  /** Only there; and only by this mechanism. */
  readonly kernels?: readonly string[];
  readonly attach?: 'kprobe';
}

/** The same, with the operators that follow: negations, and the short names. */
export function withDerived(rows: readonly Row[], type: ArgTypeName): Row[] {
  const allowed: readonly Operator[] = OPERATORS_OF[ARG_TYPES[type].class];
  return rows.flatMap((row) => {
    const derived: Row[] = [];
    const negated = allowed.find((operator) => NEGATED[operator] === row.operator);
    if (negated !== undefined) derived.push({ ...row, operator: negated, match: row.miss, miss: row.match });
    const short = row.operator === 'GreaterThan' ? 'GT' : row.operator === 'LessThan' ? 'LT' : undefined;
    if (short !== undefined) derived.push({ ...row, operator: short });
    return [row, ...derived];
  });
}

/** Types as arguments; then the same values from elsewhere. */
export const TYPES: readonly Subject[] = [...NUMBERS, ...TEXTS, ...NETWORK, ...OBJECTS];
export const SUBJECTS: readonly Subject[] = [...TYPES, ...PLACES];

/** Refused by name, on every kernel: the code that says so. */
export const REFUSED_TYPES: Readonly<Partial<Record<ArgTypeName, string>>> = {
  data_loc: 'UNSUPPORTED_ARG_TYPE',
  auto: 'UNSUPPORTED_ARG_TYPE',
};
