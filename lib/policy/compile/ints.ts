/** Compiles filters on numbers: a few values are compared one by one, many are looked up in a table. */
import type { IntGroup, ValueTable } from '../../compiled/compiled-policy.js';
import { INT_TABLE_MIN } from '../language/limits.js';
import { listName } from '../model/lists.js';
import { capabilityNumber } from '../../names/capabilities.js';
import { SYSCALL_COMPAT } from '../../names/syscalls.js';
import { parseValueRanges } from '../model/numbers.js';
import { quote } from '../parse/report.js';
import { limitToType, parseInteger, toUnsigned64, wrapToType, type Range } from '../model/values.js';
import { ARG_TYPES, type ArgTypeName, type NumberOperator, type TypeFacts } from '../language/vocabulary.js';
import { baseOperator, isNegatedClause, type Clause, type Context } from './filters.js';
import { makeEqualTest, makeIntGroups, makeRangeTests, type IntComparison, type IntClause } from './groups.js';
import { removeDuplicates, makeValueTable } from './tables.js';

export interface IntFilters {
  readonly ints: readonly IntGroup[];
  readonly intTable?: ValueTable<bigint>;
}

/** The values that a filter with Equal, InMap or InRange accepts, as ranges. */
interface AcceptedRanges {
  readonly clause: Clause;
  readonly ranges: readonly Range[];
}

export function compileIntFilters(clauses: readonly Clause[], type: ArgTypeName, context: Context): IntFilters {
  const wanted = clauses
    .filter(isAcceptClause)
    .map((clause) => ({ clause, ranges: parseAcceptedRanges(clause, type, context) }));
  const single = wanted.filter(({ ranges }) => ranges.every(({ minimum, maximum }) => minimum === maximum));
  const values = removeDuplicates(
    single
      .flatMap(({ ranges }) => ranges.map(({ minimum }) => toUnsigned64(minimum)))
      .map((value) => ({ key: String(value), value })),
  );
  const inTable = values.length >= INT_TABLE_MIN ? new Set(single.map(({ clause }) => clause)) : new Set<Clause>();
  const signed = ARG_TYPES[type].class === 'signed';
  const compared = clauses
    .filter((clause) => !inTable.has(clause))
    .map((clause): IntClause => {
      const own = wanted.find((each) => each.clause === clause);
      const tests =
        own === undefined ? makeComparisons(clause, type) : makeAcceptTests(own, isRangeClause(clause), signed);
      return { selector: clause.selector, negate: isNegatedClause(clause), tests };
    });
  if (inTable.size === 0) return { ints: makeIntGroups(compared) };
  const sorted = values.sort((a, b) => (a.value < b.value ? -1 : 1));
  return {
    ints: makeIntGroups(compared),
    intTable: makeValueTable(single.map(makeTableClause), sorted, (a, b) => a === b),
  };
}

/** How the values of each operator are compared: accepted one by one or as ranges, or by a test of their own. */
const COMPARISONS = {
  Equal: 'values',
  InMap: 'values',
  InRange: 'ranges',
  Mask: 'mask',
  GreaterThan: 'greater',
  GT: 'greater',
  LessThan: 'less',
  LT: 'less',
} as const satisfies Readonly<Record<NumberOperator, 'values' | 'ranges' | IntComparison['op']>>;

function clauseComparison(clause: Clause): (typeof COMPARISONS)[NumberOperator] {
  return COMPARISONS[baseOperator<NumberOperator>(clause)];
}

function isAcceptClause(clause: Clause): boolean {
  const comparison = clauseComparison(clause);
  return comparison === 'values' || comparison === 'ranges';
}

function isRangeClause(clause: Clause): boolean {
  return clauseComparison(clause) === 'ranges';
}

function makeTableClause({ clause, ranges }: AcceptedRanges): {
  selector: number;
  negate: boolean;
  keys: ReadonlySet<string>;
} {
  const keys = new Set(ranges.map(({ minimum }) => String(toUnsigned64(minimum))));
  return { selector: clause.selector, negate: isNegatedClause(clause), keys };
}

function makeAcceptTests({ ranges }: AcceptedRanges, join: boolean, signed: boolean): readonly IntComparison[] {
  const mixed = join || ranges.some(({ minimum, maximum }) => minimum !== maximum);
  return mixed ? makeRangeTests(ranges, signed) : ranges.map(({ minimum }) => makeEqualTest(minimum));
}

/**
 * The checks have reported unknown names. Only a system call that other architectures have can still be unknown here.
 */
function parseAcceptedRanges(clause: Clause, type: ArgTypeName, context: Context): Range[] {
  const { policy, architecture, report } = context;
  const facts: TypeFacts = ARG_TYPES[type];
  const kind = facts.class;
  if (kind === 'capabilities') return parseCapabilitySets(clause.values).map((set) => ({ minimum: set, maximum: set }));
  return clause.values.flatMap((value, i) => {
    const ranges = parseValueRanges(value, clause.operator, kind, policy, architecture);
    const span = report.positions.value(clause.filter.values ?? clause.filter, i);
    if (ranges !== undefined) {
      if (kind !== 'syscall' && listName(value) !== undefined && ranges.some(isCompatSyscall)) {
        const message = `the list ${quote(value)} has system calls of 32-bit programs, which the type ${type} cannot tell from 64-bit ones`;
        report.add('SYSCALL_UNKNOWN', span, message, 'read the value as syscall64');
      }
      return ranges.map((range) => limitToType(facts, range));
    }
    const message = `${quote(value)} is not a system call of ${architecture}, or is a list that contains one that is not`;
    report.add('SYSCALL_UNKNOWN', span, message, 'remove it on this architecture');
    return [];
  });
}

function isCompatSyscall({ minimum }: Range): boolean {
  return (minimum & SYSCALL_COMPAT) !== 0n;
}

/** All names together form one set. Each number is a complete set. */
function parseCapabilitySets(values: readonly string[]): bigint[] {
  const sets = values.flatMap((value) => parseInteger(value) ?? []);
  const bits = values.flatMap((value) => capabilityNumber(value) ?? []);
  return bits.length === 0 ? sets : [...sets, bits.reduce((all, bit) => all | (1n << bit), 0n)];
}

function makeComparisons(clause: Clause, type: ArgTypeName): IntComparison[] {
  const op = clauseComparison(clause);
  const isSet = ARG_TYPES[type].class === 'capabilities';
  const numbers = isSet ? parseCapabilitySets(clause.values) : clause.values.map((value) => parseInteger(value) ?? 0n);
  const signed = ARG_TYPES[type].class === 'signed';
  switch (op) {
    case 'values':
    case 'ranges':
      return []; // makeAcceptTests makes these
    case 'mask':
      // Any bit of any value is enough, so one comparison with all bits suffices.
      return [{ op, signed: false, value: numbers.map(toUnsigned64).reduce((all, value) => all | value, 0n) }];
    case 'greater':
    case 'less':
      return numbers.map((number) => ({ op, signed, value: toUnsigned64(wrapToType(ARG_TYPES[type], number)) }));
  }
}
