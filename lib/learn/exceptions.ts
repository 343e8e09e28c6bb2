/** Makes few exceptions of the groups of alerts: selectors with NoPost, each with its evidence and what it hides. Pure. */
import { generalizePaths, matchesPattern, type PathPattern } from '../generalize/patterns.js';
import { isSecret } from '../generalize/secrets.js';
import { isPackageManager } from '../generalize/trust.js';
import { identityKey, type Evidence, type Group } from './collector.js';
import type { Identity } from './identity.js';

/** A filter of matchArgs. */
export interface ArgumentFilter {
  readonly position: number;
  readonly operator: string;
  readonly values: readonly string[];
}

/** A property that whoever reviews an exception should look at. */
export type ReviewNote = 'secret' | 'pattern' | 'package_manager' | 'interpreter' | 'ancestor' | 'container' | 'all_addresses' | 'any_number' | 'no_value'; // prettier-ignore

export interface Exception {
  readonly hook: number;
  readonly identity: Identity;
  readonly filters: readonly ArgumentFilter[];
  readonly evidence: Evidence;
  readonly notes: readonly ReviewNote[];
}

/** Different numbers of an argument. With more of them, the argument is not compared: it is a size, an id or a time. */
const NUMBERS_MAX = 8;
/** Values of a filter that compares texts. */
const TEXTS_MAX = 128;
/** Different addresses of a port after which the address is not compared: the program talks to the Internet. */
const ADDRESSES_MAX = 16;
/** Addresses of the services that give credentials to machines: no exception hides them unless they were seen. */
const METADATA_NETWORKS = ['169.254.0.0/16', 'fd00:ec2::254'];
/** Selectors that the values of several arguments together may become. */
const VARIANTS_MAX = 64;

export interface Proposal {
  readonly exceptions: readonly Exception[];
  /** Events of values that have no room in the exceptions. */
  leftOut: number;
}

export function proposeExceptions(groups: readonly Group[]): Proposal {
  const byShape = new Map<string, Group[]>();
  for (const group of groups) {
    const { hook, identity, values, numbers } = group;
    const shape = [
      ...[...values].map(([position, { kind }]) => [position, kind]),
      numbers.map(({ position }) => position),
    ];
    const key = JSON.stringify([hook, identityKey(identity), shape]);
    byShape.set(key, [...(byShape.get(key) ?? []), group]);
  }
  let leftOut = 0;
  const exceptions = [...byShape.values()].flatMap((alike) =>
    joinNumbers(alike).flatMap((group) => {
      const formed = formExceptions(group);
      if (formed.length === 0) leftOut += group.evidence.events;
      return formed;
    }),
  );
  return { exceptions: sortExceptions(joinPrograms(exceptions)), leftOut };
}

interface Joined extends Omit<Group, 'numbers'> {
  readonly numbers: readonly ArgumentFilter[];
  readonly isAnyNumber: boolean;
}

/** Drops numbers that differ, and joins groups with the same values. */
function joinNumbers(groups: readonly Group[]): Joined[] {
  const [first] = groups;
  if (first === undefined) return [];
  const distinct = (position: number): string[] =>
    [...new Set(groups.flatMap(({ numbers }) => numbers.filter((each) => each.position === position).map(({ text }) => text)))]; // prettier-ignore
  const positions = first.numbers.map(({ position }) => position);
  const kept = positions.filter((position) => distinct(position).length <= NUMBERS_MAX);
  const byNumbers = new Map<string, Joined>();
  for (const group of groups) {
    const numbers = group.numbers
      .filter(({ position }) => kept.includes(position))
      .map(({ position, text }) => ({ position, operator: 'Equal', values: [text] }));
    const key = JSON.stringify(numbers);
    const known = byNumbers.get(key);
    const fresh: Joined = {
      ...group,
      numbers,
      isAnyNumber: kept.length < positions.length,
      values: new Map([...group.values].map(([position, slot]) => [position, { ...slot, seen: new Map(slot.seen) }])),
      evidence: copyEvidence(group.evidence),
    };
    byNumbers.set(key, known === undefined ? fresh : joinGroups(known, fresh));
  }
  return kept.length === 1 ? joinValues([...byNumbers.values()]) : [...byNumbers.values()];
}

/** Groups that differ in one number only, and have the same other values. */
function joinValues(groups: readonly Joined[]): Joined[] {
  const byValues = new Map<string, Joined>();
  for (const group of groups) {
    const key = JSON.stringify([...group.values].map(([position, { seen }]) => [position, [...seen.keys()].sort()]));
    const known = byValues.get(key);
    if (known === undefined) {
      byValues.set(key, group);
      continue;
    }
    const numbers = known.numbers.map((filter, i) => ({
      ...filter,
      values: [...new Set([...filter.values, ...(group.numbers[i]?.values ?? [])])].sort(),
    }));
    byValues.set(key, { ...joinGroups(known, group), numbers });
  }
  return [...byValues.values()];
}

function joinGroups(one: Joined, other: Joined): Joined {
  for (const [position, { seen }] of other.values) {
    const own = one.values.get(position)?.seen;
    for (const [text, count] of seen) own?.set(text, (own.get(text) ?? 0) + count);
  }
  joinEvidence(one.evidence, other.evidence);
  return one;
}

const copyEvidence = (evidence: Evidence): Evidence => ({
  ...evidence,
  processes: new Set(evidence.processes),
  users: new Set(evidence.users),
});

function joinEvidence(one: Evidence, other: Evidence): void {
  one.events += other.events;
  for (const each of other.processes) one.processes.add(each);
  for (const each of other.users) one.users.add(each);
  if (other.first < one.first) one.first = other.first;
  if (other.last > one.last) one.last = other.last;
}

/** Filters of one argument, and how many events they are about. */
interface Variant {
  readonly filters: readonly ArgumentFilter[];
  readonly events: number;
  readonly notes: readonly ReviewNote[];
}

function formExceptions(group: Joined): Exception[] {
  const { hook, identity, numbers, values, evidence, isAnyNumber } = group;
  const own: ReviewNote[] = [
    ...(isAnyNumber ? (['any_number'] as const) : []),
    ...(values.size === 0 ? (['no_value'] as const) : []),
    ...(identity.script === undefined ? [] : (['interpreter'] as const)),
    ...(identity.ancestor === undefined ? [] : (['ancestor'] as const)),
    ...(identity.container === undefined ? [] : (['container'] as const)),
    ...([...identity.programs, identity.ancestor ?? ''].some(isPackageManager) ? (['package_manager'] as const) : []),
  ];
  let variants: Variant[] = [{ filters: numbers, events: evidence.events, notes: own }];
  for (const [position, slot] of [...values].sort(([one], [other]) => one - other)) {
    const some = formVariants(position, slot, identity);
    variants = variants.flatMap((one) =>
      some.map((other) => ({
        filters: [...one.filters, ...other.filters],
        events: Math.min(one.events, other.events),
        notes: [...one.notes, ...other.notes],
      })),
    );
    if (variants.length > VARIANTS_MAX) return [];
  }
  return variants.map(({ filters, events, notes }) => ({
    hook,
    identity,
    filters: [...filters].sort((one, other) => one.position - other.position),
    evidence: { ...copyEvidence(evidence), events },
    notes: [...new Set(notes)].sort(),
  }));
}

type Slot = Group['values'] extends Map<number, infer S> ? S : never;

function formVariants(position: number, slot: Slot, identity: Identity): Variant[] {
  switch (slot.kind) {
    case 'path':
      return pathVariants(position, slot, identity);
    case 'text':
      return textVariants(position, slot);
    case 'remote':
    case 'local':
    case 'address':
      return socketVariants(position, slot);
    case 'number':
      return [];
  }
}

function pathVariants(
  position: number,
  { seen, isExecuted }: Slot,
  { programs, script, ancestor }: Identity,
): Variant[] {
  const [program] = script === undefined && ancestor === undefined ? programs : [];
  const patterns = generalizePaths(seen.keys(), { isExecuted, ...(program === undefined ? {} : { program }) });
  const count = (some: readonly PathPattern[]): number =>
    [...seen].reduce(
      (sum, [path, each]) => sum + (some.some((pattern) => matchesPattern(path, pattern)) ? each : 0),
      0,
    );
  const equals = patterns.filter((each) => each.kind === 'equal');
  const prefixes = patterns.filter((each) => each.kind === 'prefix');
  const betweens = patterns.filter((each) => each.kind === 'between');
  const chunks = Array.from({ length: Math.ceil(equals.length / TEXTS_MAX) }, (_, i) =>
    equals.slice(i * TEXTS_MAX, (i + 1) * TEXTS_MAX),
  );
  return [
    ...chunks.map((some) => ({
      filters: [{ position, operator: 'Equal', values: some.map(({ path }) => path) }],
      events: count(some),
      notes: some.some(({ path }) => isSecret(path)) ? (['secret'] as const) : [],
    })),
    ...(prefixes.length === 0
      ? []
      : [
          {
            filters: [{ position, operator: 'Prefix', values: prefixes.map(({ before }) => before) }],
            events: count(prefixes),
            notes: ['pattern'] as const,
          },
        ]),
    ...betweens.map((pattern) => ({
      filters: [
        { position, operator: 'Prefix', values: [pattern.before] },
        { position, operator: 'Postfix', values: [pattern.after] },
      ],
      events: count([pattern]),
      notes: ['pattern'] as const,
    })),
  ];
}

/** A process chooses its texts: they never become patterns. */
function textVariants(position: number, { seen }: Slot): Variant[] {
  const texts = [...seen].sort(([one, n], [other, m]) => m - n || (one < other ? -1 : 1)).slice(0, TEXTS_MAX);
  const values = texts.map(([text]) => text).sort();
  const events = texts.reduce((sum, [, count]) => sum + count, 0);
  return [
    { filters: [{ position, operator: 'Equal', values }], events, notes: values.some(isSecret) ? ['secret'] : [] },
  ];
}

const OPERATORS: Readonly<Record<'remote' | 'local' | 'address', readonly [string, string]>> = {
  remote: ['DPort', 'DAddr'],
  local: ['SPort', 'SAddr'],
  address: ['SPort', 'SAddr'],
};

function socketVariants(position: number, { kind, seen }: Slot): Variant[] {
  const [port, address] = OPERATORS[kind as 'remote' | 'local' | 'address'];
  const byPort = new Map<string, { addresses: Set<string>; events: number }>();
  for (const [text, count] of seen) {
    const [number = '', where = ''] = text.split(' ');
    const known = byPort.get(number) ?? { addresses: new Set<string>(), events: 0 };
    known.addresses.add(where);
    known.events += count;
    byPort.set(number, known);
  }
  const byAddresses = new Map<string, { ports: string[]; addresses: readonly string[]; events: number }>();
  for (const [number, { addresses, events }] of byPort) {
    const isMany = kind !== 'local' && addresses.size >= ADDRESSES_MAX && !hasMetadata(addresses);
    const list = isMany ? [] : [...addresses].sort();
    const key = list.join(' ');
    const known = byAddresses.get(key) ?? { ports: [], addresses: list, events: 0 };
    known.ports.push(number);
    known.events += events;
    byAddresses.set(key, known);
  }
  return [...byAddresses.values()].map(({ ports, addresses, events }) => ({
    filters: [
      { position, operator: port, values: ports.sort((one, other) => Number(one) - Number(other)) },
      addresses.length === 0
        ? { position, operator: `Not${address}`, values: METADATA_NETWORKS }
        : { position, operator: address, values: addresses },
    ],
    events,
    notes: addresses.length === 0 ? (['all_addresses'] as const) : [],
  }));
}

function hasMetadata(addresses: ReadonlySet<string>): boolean {
  return [...addresses].some((each) => each.startsWith('169.254.') || each === 'fd00:ec2::254');
}

/** Programs with the same exception share it. */
function joinPrograms(exceptions: readonly Exception[]): Exception[] {
  const joined = new Map<string, Exception>();
  for (const exception of exceptions) {
    const { hook, identity, filters } = exception;
    const key = JSON.stringify([hook, { ...identity, programs: identity.programs.length }, filters]);
    const known = joined.get(key);
    if (known === undefined) {
      joined.set(key, exception);
      continue;
    }
    joinEvidence(known.evidence, exception.evidence);
    const programs = [...new Set([...known.identity.programs, ...identity.programs])].sort();
    const notes = [...new Set([...known.notes, ...exception.notes])].sort();
    joined.set(key, { ...known, identity: { ...known.identity, programs }, notes });
  }
  return [...joined.values()];
}

const sortKey = ({ hook, identity, filters }: Exception): string =>
  JSON.stringify([String(hook).padStart(6, '0'), identity.programs, identity, filters]);

function sortExceptions(exceptions: readonly Exception[]): Exception[] {
  const keyed = exceptions.map((each) => [sortKey(each), each] as const);
  return keyed.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)).map(([, each]) => each);
}
