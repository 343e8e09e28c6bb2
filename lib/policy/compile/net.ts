/** Compiles filters on sockets, packets and socket addresses: comparisons of numbers, and tables of networks. */
import type { AddressPrefix, NetField, NetFilters, ValueTable } from '../../compiled/compiled-policy.js';
import { familyNumber, parseNetwork, protocolNumber, stateNumber } from '../model/numbers.js';
import { parseRange } from '../model/values.js';
import type { NetOperator } from '../language/vocabulary.js';
import { baseOperator, isNegatedClause, type Clause } from './filters.js';
import { makeEqualTest, makeIntGroups, makeRangeTests, type IntComparison } from './groups.js';
import { removeDuplicates, makeValueTable, type KeyedValue } from './tables.js';

type MakeTests = (values: readonly string[]) => IntComparison[];

const makePortTests: MakeTests = (values) =>
  makeRangeTests(
    values.flatMap((value) => parseRange(value) ?? []),
    false,
  );
const makePrivilegedPortTests: MakeTests = () => makeRangeTests([{ minimum: 0n, maximum: 1023n }], false);
const makeNameTests =
  (toNumber: (value: string) => bigint | undefined): MakeTests =>
  (values) =>
    values.map((value) => makeEqualTest(toNumber(value) ?? 0n));

/** The number that each operator compares, with its tests, or the address that it looks up. */
const OPERATOR_FIELDS = {
  Family: ['family', makeNameTests(familyNumber)],
  Protocol: ['protocol', makeNameTests(protocolNumber)],
  State: ['state', makeNameTests(stateNumber)],
  SPort: ['sourcePort', makePortTests],
  SPortPriv: ['sourcePort', makePrivilegedPortTests],
  DPort: ['destinationPort', makePortTests],
  DPortPriv: ['destinationPort', makePrivilegedPortTests],
  SAddr: ['source'],
  DAddr: ['destination'],
} as const satisfies Readonly<
  Record<NetOperator, readonly [NetField, MakeTests] | readonly [keyof NetFilters & ('source' | 'destination')]>
>;

function clauseField(clause: Clause): (typeof OPERATOR_FIELDS)[NetOperator] {
  return OPERATOR_FIELDS[baseOperator<NetOperator>(clause)];
}

const FIELD_ORDER: readonly NetField[] = ['family', 'protocol', 'state', 'sourcePort', 'destinationPort'];

export function compileNetFilters(clauses: readonly Clause[]): NetFilters {
  const groups = FIELD_ORDER.flatMap((field) =>
    makeIntGroups(
      clauses.flatMap((clause) => {
        const [own, tests] = clauseField(clause);
        if (own !== field || tests === undefined) return [];
        return [{ selector: clause.selector, negate: isNegatedClause(clause), tests: tests(clause.values) }];
      }),
    ).map((group) => ({ ...group, field })),
  );
  const source = networks(clauses.filter((clause) => clauseField(clause)[0] === 'source'));
  const destination = networks(clauses.filter((clause) => clauseField(clause)[0] === 'destination'));
  return {
    ...(groups.length > 0 ? { groups } : {}),
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
  };
}

function networks(clauses: readonly Clause[]): ValueTable<AddressPrefix> | undefined {
  if (clauses.length === 0) return undefined;
  const own = clauses.map((clause) => {
    const networks = clause.values.flatMap((value) => parseNetwork(value) ?? []).map(withKey);
    return { selector: clause.selector, negate: isNegatedClause(clause), networks };
  });
  const values = removeDuplicates(own.flatMap(({ networks }) => networks));
  const tableClauses = own.map(({ selector, negate, networks }) => ({
    selector,
    negate,
    keys: new Set(networks.map(({ key }) => key)),
  }));
  return makeValueTable(tableClauses, values.sort(compareNetworks), isInNetwork);
}

function withKey(value: AddressPrefix): KeyedValue<AddressPrefix> {
  return { key: `${value.bytes.join('.')}/${value.bits}`, value };
}

/** Sorts a network before the networks that it contains. */
function compareNetworks({ value: a }: KeyedValue<AddressPrefix>, { value: b }: KeyedValue<AddressPrefix>): number {
  if (a.family !== b.family) return a.family - b.family;
  return Buffer.compare(Buffer.from(a.bytes), Buffer.from(b.bytes)) || a.bits - b.bits;
}

function isInNetwork(network: AddressPrefix, wider: AddressPrefix): boolean {
  if (network.family !== wider.family || network.bits < wider.bits) return false;
  return wider.bytes.every((byte, i) => {
    const mask = (0xff00 >> Math.min(Math.max(wider.bits - 8 * i, 0), 8)) & 0xff;
    return ((network.bytes[i] ?? 0) & mask) === byte;
  });
}
