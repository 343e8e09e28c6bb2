/** Compiles filters on sockets, packets and socket addresses: comparisons of numbers, and tables of networks. */
import type { AddressPrefix, NetField, NetFilters, ValueTable } from '../../compiled/compiled-policy.js';
import { familyNumber, parseNetwork, protocolNumber, stateNumber } from '../model/numbers.js';
import { parseRange } from '../model/values.js';
import type { Operator } from '../language/vocabulary.js';
import { baseOf, isNegated, type Clause } from './filters.js';
import { equal, intGroups, rangeTests, type Comparison } from './groups.js';
import { distinct, valueTable, type Keyed } from './tables.js';

type Tests = (values: readonly string[]) => Comparison[];

const ports: Tests = (values) =>
  rangeTests(
    values.flatMap((value) => parseRange(value) ?? []),
    false,
  );
const privileged: Tests = () => rangeTests([{ minimum: 0n, maximum: 1023n }], false);
const numbers =
  (numberOf: (value: string) => bigint | undefined): Tests =>
  (values) =>
    values.map((value) => equal(numberOf(value) ?? 0n));

const FIELDS: Readonly<Partial<Record<Operator, readonly [NetField, Tests]>>> = {
  Family: ['family', numbers(familyNumber)],
  Protocol: ['protocol', numbers(protocolNumber)],
  State: ['state', numbers(stateNumber)],
  SPort: ['sourcePort', ports],
  SPortPriv: ['sourcePort', privileged],
  DPort: ['destinationPort', ports],
  DPortPriv: ['destinationPort', privileged],
};
const ORDER: readonly NetField[] = ['family', 'protocol', 'state', 'sourcePort', 'destinationPort'];

export function netFilters(clauses: readonly Clause[]): NetFilters {
  const groups = ORDER.flatMap((field) =>
    intGroups(
      clauses.flatMap((clause) => {
        const [own, tests] = FIELDS[baseOf(clause)] ?? [];
        if (own !== field || tests === undefined) return [];
        return [{ selector: clause.selector, negate: isNegated(clause), tests: tests(clause.values) }];
      }),
    ).map((group) => ({ ...group, field })),
  );
  const source = networks(clauses.filter((clause) => baseOf(clause) === 'SAddr'));
  const destination = networks(clauses.filter((clause) => baseOf(clause) === 'DAddr'));
  return {
    ...(groups.length > 0 ? { groups } : {}),
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
  };
}

function networks(clauses: readonly Clause[]): ValueTable<AddressPrefix> | undefined {
  if (clauses.length === 0) return undefined;
  const own = clauses.map((clause) => {
    const networks = clause.values.flatMap((value) => parseNetwork(value) ?? []).map(keyed);
    return { selector: clause.selector, negate: isNegated(clause), networks };
  });
  const values = distinct(own.flatMap(({ networks }) => networks));
  const tableClauses = own.map(({ selector, negate, networks }) => ({
    selector,
    negate,
    keys: new Set(networks.map(({ key }) => key)),
  }));
  return valueTable(tableClauses, values.sort(compare), contains);
}

function keyed(value: AddressPrefix): Keyed<AddressPrefix> {
  return { key: `${value.bytes.join('.')}/${value.bits}`, value };
}

/** Sorts a network right before the networks that it contains. */
function compare({ value: a }: Keyed<AddressPrefix>, { value: b }: Keyed<AddressPrefix>): number {
  if (a.family !== b.family) return a.family - b.family;
  return Buffer.compare(Buffer.from(a.bytes), Buffer.from(b.bytes)) || a.bits - b.bits;
}

function contains(network: AddressPrefix, wider: AddressPrefix): boolean {
  if (network.family !== wider.family || network.bits < wider.bits) return false;
  return wider.bytes.every((byte, i) => {
    const mask = (0xff00 >> Math.min(Math.max(wider.bits - 8 * i, 0), 8)) & 0xff;
    return ((network.bytes[i] ?? 0) & mask) === byte;
  });
}
