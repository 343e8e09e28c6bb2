/** Numbers, networks and substrings: the compiled tables and groups give the results that the policy describes. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compilePolicy, validatePolicy } from '../../../lib/policy/index.js';
import type {
  AddressPrefix,
  IntGroup,
  IntTest,
  CompiledValue,
  ValueTable,
} from '../../../lib/compiled/compiled-policy.js';
import { kprobeYaml } from './marked-policies.js';

interface Filter {
  readonly operator: string;
  readonly values: readonly string[];
}

function compileFilteredValue(type: string, selectors: readonly (readonly Filter[])[]): CompiledValue {
  const [arg] = compilePolicy(filtersYaml(type, selectors)).hooks[0]?.args ?? [];
  assert.ok(arg);
  return arg;
}

function filtersYaml(type: string, selectors: readonly (readonly Filter[])[]): string {
  const lists = selectors.map((filters) => {
    const texts = filters.map(
      ({ operator, values }) => `  - {index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}`,
    );
    return `- matchArgs:\n${texts.join('\n')}`;
  });
  return kprobeYaml(`call: f\nsyscall: false\nargs: [{index: 0, type: ${type}}]\nselectors:\n${lists.join('\n')}`);
}

/** The selectors that match, computed from the policy itself. */
function expectedSelectors(
  selectors: readonly (readonly Filter[])[],
  isHit: (base: string, value: string) => boolean,
): number[] {
  return selectors.flatMap((filters, s) => {
    const holds = filters.every(({ operator, values }) => {
      const base = operator.replace(/^Not/, '');
      return values.some((value) => isHit(base, value)) !== operator.startsWith('Not');
    });
    return holds ? [s] : [];
  });
}

/** Applies a table as the BPF programs do. Returns the remaining candidate selectors. */
function applyTable<T>(
  left: readonly number[],
  table: ValueTable<T> | undefined,
  matchedLength: (value: T) => number,
): number[] {
  if (table === undefined) return [...left];
  const [entry] = table.entries
    .filter(({ value }) => matchedLength(value) >= 0)
    .sort((a, b) => matchedLength(b.value) - matchedLength(a.value));
  return left.filter(
    (s) => ((entry?.match.includes(s) ?? false) || !table.positive.includes(s)) && entry?.reject.includes(s) !== true,
  );
}

/** Applies groups as the BPF programs do. Returns the remaining candidate selectors. */
function applyGroups(left: readonly number[], groups: readonly IntGroup[], value: bigint): number[] {
  return groups.reduce<number[]>(
    (rest, group) => {
      const hits = new Set(group.tests.filter((test) => passesTest(test, value)).flatMap((test) => test.selectors));
      return rest.filter((s) => (group.negate ? !hits.has(s) : hits.has(s) || !group.selectors.includes(s)));
    },
    [...left],
  );
}

function passesTest({ op, signed, value, upper = 0n }: IntTest, raw: bigint): boolean {
  const number = (bits: bigint): bigint => (signed ? BigInt.asIntN(64, bits) : BigInt.asUintN(64, bits));
  const own = number(raw);
  switch (op) {
    case 'equal':
      return BigInt.asUintN(64, raw) === value;
    case 'mask':
      return (BigInt.asUintN(64, raw) & value) !== 0n;
    case 'greater':
      return own > number(value);
    case 'less':
      return own < number(value);
    case 'range':
      return own >= number(value) && own <= number(upper);
  }
}

const allIndexes = (selectors: readonly unknown[]): number[] => selectors.map((_, i) => i);
const shortArray = <T>(element: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> =>
  fc.array(element, { minLength: 1, maxLength });

describe('policy: properties of values', function () {
  this.timeout(60_000);

  it('finds the numbers that the filters match', () => {
    const number = fc.integer({ min: -6, max: 12 }).map(String);
    const range = fc.tuple(fc.integer({ min: -6, max: 6 }), fc.nat(5)).map(([from, size]) => `${from}:${from + size}`);
    const filter = fc.oneof(
      fc.record({ operator: fc.constantFrom('Equal', 'NotEqual', 'GT', 'LT'), values: shortArray(number, 12) }),
      fc.record({ operator: fc.constantFrom('InMap', 'NotInMap'), values: shortArray(fc.oneof(number, range), 12) }),
      fc.record({ operator: fc.constantFrom('InRange', 'NotInRange'), values: shortArray(range, 4) }),
    );
    fc.assert(
      fc.property(shortArray(shortArray(filter, 3), 4), fc.integer({ min: -8, max: 14 }), (selectors, value) => {
        const compiled = compileFilteredValue('int', selectors);
        const raw = BigInt.asUintN(64, BigInt(value));
        const left = applyTable(allIndexes(selectors), compiled.intTable, (entry) => (entry === raw ? 0 : -1));
        const found = applyGroups(left, compiled.ints, raw);
        const isHit = (base: string, text: string): boolean => {
          const [from = 0, to = from] = text.split(':').map(Number);
          if (base === 'GT') return value > from;
          return base === 'LT' ? value < from : value >= from && value <= to;
        };
        assert.deepEqual(found, expectedSelectors(selectors, isHit));
      }),
      { numRuns: 400 },
    );
  });

  it('says that a selector never matches only if no number passes, also for literals with the bits of a number', () => {
    const number = fc
      .oneof(fc.integer({ min: -128, max: 255 }), fc.constantFrom(-128, -1, 0, 127, 128, 255))
      .map(String);
    const range = fc.tuple(fc.integer({ min: -300, max: 127 }), fc.nat(300)).map(([from, size]) => `${from}:${from + size}`); // prettier-ignore
    const filter = fc.oneof(
      fc.record({ operator: fc.constantFrom('Equal', 'NotEqual', 'GT', 'LT'), values: shortArray(number, 3) }),
      fc.record({ operator: fc.constantFrom('InMap', 'NotInMap'), values: shortArray(fc.oneof(number, range), 3) }),
      fc.record({ operator: fc.constantFrom('InRange', 'NotInRange'), values: shortArray(range, 2) }),
    );
    const bytes = Array.from({ length: 256 }, (_, i) => BigInt.asUintN(64, BigInt(i - 128)));
    let never = 0;
    fc.assert(
      fc.property(shortArray(filter, 3), (filters) => {
        const found = validatePolicy(filtersYaml('int8', [filters]));
        if (found.some(({ severity }) => severity === 'error')) return;
        const compiled = compileFilteredValue('int8', [filters]);
        const passes = bytes.some((raw) => {
          const left = applyTable([0], compiled.intTable, (entry) => (entry === raw ? 0 : -1));
          return applyGroups(left, compiled.ints, raw).length > 0;
        });
        const isNever = found.some(({ code }) => code === 'SELECTOR_NEVER_MATCHES');
        assert.equal(isNever, !passes, JSON.stringify(filters));
        never += Number(isNever);
      }),
      { numRuns: 400 },
    );
    assert.ok(never > 0);
  });

  it('finds the networks that contain an address', () => {
    const byte = fc.constantFrom(0, 1, 128);
    const address = fc.tuple(byte, byte, byte, byte);
    const network = fc
      .tuple(address, fc.integer({ min: 0, max: 32 }))
      .map(([bytes, bits]) => `${bytes.join('.')}/${bits}`);
    const filter = fc.record({ operator: fc.constantFrom('SAddr', 'NotSAddr'), values: shortArray(network, 4) });
    const number = (bytes: readonly number[]): number => bytes.reduce((sum, own) => sum * 256 + own, 0);
    const sharesPrefix = (own: number, base: number, bits: number): boolean =>
      Math.floor(own / 2 ** (32 - bits)) === Math.floor(base / 2 ** (32 - bits));
    fc.assert(
      fc.property(shortArray(shortArray(filter, 3), 4), address, (selectors, bytes) => {
        const own = number(bytes);
        const matchedLength = (prefix: AddressPrefix): number =>
          sharesPrefix(own, number(prefix.bytes), prefix.bits) ? prefix.bits : -1;
        const found = applyTable(
          allIndexes(selectors),
          compileFilteredValue('sock', selectors).net.source,
          matchedLength,
        );
        const isHit = (_: string, text: string): boolean => {
          const [base = '', bits = ''] = text.split('/');
          return sharesPrefix(own, number(base.split('.').map(Number)), Number(bits));
        };
        assert.deepEqual(found, expectedSelectors(selectors, isHit));
      }),
      { numRuns: 400 },
    );
  });

  it('finds the substrings of a string', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'A'), { minLength: 1, maxLength: 5 }).map((list) => list.join(''));
    const filter = fc.record({
      operator: fc.constantFrom('SubString', 'SubStringIgnCase'),
      values: shortArray(text, 3),
    });
    fc.assert(
      fc.property(shortArray(shortArray(filter, 2), 4), text, (selectors, own) => {
        const scans = compileFilteredValue('string', selectors).texts.substrings ?? [];
        const found = scans.reduce<number[]>((left, { ignoreCase, selectors: concerned, needles }) => {
          const read = ignoreCase ? own.toLowerCase() : own;
          const hits = needles.filter((needle) => read.includes(needle.text)).flatMap((needle) => needle.selectors);
          return left.filter((s) => hits.includes(s) || !concerned.includes(s));
        }, allIndexes(selectors));
        const isHit = (base: string, value: string): boolean =>
          base === 'SubString' ? own.includes(value) : own.toLowerCase().includes(value.toLowerCase());
        assert.deepEqual(found, expectedSelectors(selectors, isHit));
      }),
      { numRuns: 300 },
    );
  });
});
