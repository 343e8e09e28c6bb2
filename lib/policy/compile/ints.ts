/** Compiles filters on numbers: a few values are compared one by one, many are looked up in a table. */
import type { IntGroup, ValueTable } from '../../compiled/compiled-policy.js';
import { INT_TABLE_FROM } from '../language/limits.js';
import { listName } from '../model/lists.js';
import { capabilityNumber } from '../../names/capabilities.js';
import { SYSCALL_COMPAT } from '../../names/syscalls.js';
import { rangesOf } from '../model/numbers.js';
import { quote } from '../parse/report.js';
import { parseInteger, toUnsigned64, valueOf, type Range } from '../model/values.js';
import { ARG_TYPES, type ArgTypeName, type TypeFacts } from '../language/vocabulary.js';
import { baseOf, isNegated, type Clause, type Context } from './filters.js';
import { equal, intGroups, rangeTests, type Comparison, type IntClause } from './groups.js';
import { distinct, valueTable } from './tables.js';

export interface IntFilters {
  readonly ints: readonly IntGroup[];
  readonly intTable?: ValueTable<bigint>;
}

/** The values that a filter of Equal, InMap or InRange accepts: single values, or ranges too. */
interface Wanted {
  readonly clause: Clause;
  readonly ranges: readonly Range[];
}

export function intFilters(clauses: readonly Clause[], type: ArgTypeName, context: Context): IntFilters {
  const plain = clauses.filter((clause) => clause.operator !== 'CapabilitiesGained');
  const wanted = plain.filter(isEqualLike).map((clause) => ({ clause, ranges: wantedRanges(clause, type, context) }));
  const single = wanted.filter(({ ranges }) => ranges.every(({ minimum, maximum }) => minimum === maximum));
  const values = distinct(
    single
      .flatMap(({ ranges }) => ranges.map(({ minimum }) => toUnsigned64(minimum)))
      .map((value) => ({ key: String(value), value })),
  );
  const inTable = values.length >= INT_TABLE_FROM ? new Set(single.map(({ clause }) => clause)) : new Set<Clause>();
  const signed = ARG_TYPES[type].class === 'signed';
  const compared = plain
    .filter((clause) => !inTable.has(clause))
    .map((clause): IntClause => {
      const own = wanted.find((each) => each.clause === clause);
      const tests = own === undefined ? comparisons(clause, type) : testsOf(own, inRange(clause), signed);
      return { selector: clause.selector, negate: isNegated(clause), tests };
    });
  if (inTable.size === 0) return { ints: intGroups(compared) };
  const sorted = values.sort((a, b) => (a.value < b.value ? -1 : 1));
  return { ints: intGroups(compared), intTable: valueTable(single.map(tableClause), sorted, (a, b) => a === b) };
}

function isEqualLike(clause: Clause): boolean {
  const base = baseOf(clause);
  return base === 'Equal' || base === 'InMap' || base === 'InRange';
}

function inRange(clause: Clause): boolean {
  return baseOf(clause) === 'InRange';
}

function tableClause({ clause, ranges }: Wanted): { selector: number; negate: boolean; keys: ReadonlySet<string> } {
  const keys = new Set(ranges.map(({ minimum }) => String(toUnsigned64(minimum))));
  return { selector: clause.selector, negate: isNegated(clause), keys };
}

function testsOf({ ranges }: Wanted, join: boolean, signed: boolean): readonly Comparison[] {
  const mixed = join || ranges.some(({ minimum, maximum }) => minimum !== maximum);
  return mixed ? rangeTests(ranges, signed) : ranges.map(({ minimum }) => equal(minimum));
}

/**
 * A name without a number has been refused before, except for a system call that only this architecture does not have.
 */
function wantedRanges(clause: Clause, type: ArgTypeName, context: Context): Range[] {
  const { policy, architecture, report } = context;
  const facts: TypeFacts = ARG_TYPES[type];
  const kind = facts.class;
  if (kind === 'capabilities') return capabilitySets(clause.values).map((set) => ({ minimum: set, maximum: set }));
  return clause.values.flatMap((value, i) => {
    const ranges = rangesOf(value, clause.operator, kind, policy, architecture);
    const span = report.places.value(clause.filter.values ?? clause.filter, i);
    if (ranges !== undefined) {
      if (kind !== 'syscall' && listName(value) !== undefined && ranges.some(isCompat)) {
        const message = `the list ${quote(value)} has system calls of 32-bit programs, which the type ${type} cannot tell from 64-bit ones`;
        report.add('SYSCALL_UNKNOWN', span, message, 'read the value as syscall64');
      }
      return ranges.map((range) => (range.minimum === range.maximum ? single(valueOf(facts, range.minimum)) : range));
    }
    const message = `${quote(value)} is not a system call of ${architecture}, or is a list that contains one that is not`;
    report.add('SYSCALL_UNKNOWN', span, message, 'remove it on this architecture');
    return [];
  });
}

const single = (number: bigint): Range => ({ minimum: number, maximum: number });

function isCompat({ minimum }: Range): boolean {
  return (minimum & SYSCALL_COMPAT) !== 0n;
}

/** All names together form one set. Each number is a set of its own. */
function capabilitySets(values: readonly string[]): bigint[] {
  const sets = values.flatMap((value) => parseInteger(value) ?? []);
  const bits = values.flatMap((value) => capabilityNumber(value) ?? []);
  return bits.length === 0 ? sets : [...sets, bits.reduce((all, bit) => all | (1n << bit), 0n)];
}

function comparisons(clause: Clause, type: ArgTypeName): Comparison[] {
  const base = baseOf(clause);
  const isSet = ARG_TYPES[type].class === 'capabilities';
  const numbers = isSet ? capabilitySets(clause.values) : clause.values.map((value) => parseInteger(value) ?? 0n);
  if (base === 'Mask') {
    // Any bit of any value is enough, so one comparison with all bits does it.
    return [{ op: 'mask', signed: false, value: numbers.map(toUnsigned64).reduce((all, value) => all | value, 0n) }];
  }
  const op = base === 'GreaterThan' || base === 'GT' ? 'greater' : 'less';
  const signed = ARG_TYPES[type].class === 'signed';
  return numbers.map((number) => ({ op, signed, value: toUnsigned64(valueOf(ARG_TYPES[type], number)) }));
}
