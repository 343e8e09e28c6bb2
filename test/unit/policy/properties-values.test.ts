/** Numbers, networks and substrings: the compiler's tables and groups give the results that the policy describes. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compilePolicy } from '../../../lib/policy/index.js';
import type {
  AddressPrefix,
  IntGroup,
  IntTest,
  CompiledValue,
  ValueTable,
} from '../../../lib/compiled/compiled-policy.js';
import { kprobe } from './marked.js';

interface Filter {
  readonly operator: string;
  readonly values: readonly string[];
}

function imageOf(type: string, selectors: readonly (readonly Filter[])[]): CompiledValue {
  const lists = selectors.map((filters) => {
    const texts = filters.map(
      ({ operator, values }) => `  - {index: 0, operator: ${operator}, values: ${JSON.stringify(values)}}`,
    );
    return `- matchArgs:\n${texts.join('\n')}`;
  });
  const yaml = kprobe(`call: f\nsyscall: false\nargs: [{index: 0, type: ${type}}]\nselectors:\n${lists.join('\n')}`);
  const [arg] = compilePolicy(yaml).hooks[0]?.args ?? [];
  assert.ok(arg);
  return arg;
}

/** The selectors that match according to the policy. */
function wanted(selectors: readonly (readonly Filter[])[], hits: (base: string, value: string) => boolean): number[] {
  return selectors.flatMap((filters, s) => {
    const holds = filters.every(({ operator, values }) => {
      const base = operator.replace(/^Not/, '');
      return values.some((value) => hits(base, value)) !== operator.startsWith('Not');
    });
    return holds ? [s] : [];
  });
}

/** The rule of the BPF programs for tables. */
function afterTable<T>(
  left: readonly number[],
  table: ValueTable<T> | undefined,
  fits: (value: T) => number,
): number[] {
  if (table === undefined) return [...left];
  const [entry] = table.entries.filter(({ value }) => fits(value) >= 0).sort((a, b) => fits(b.value) - fits(a.value));
  return left.filter(
    (s) => ((entry?.match.includes(s) ?? false) || !table.positive.includes(s)) && entry?.reject.includes(s) !== true,
  );
}

/** The rule of the BPF programs for groups. */
function afterGroups(left: readonly number[], groups: readonly IntGroup[], value: bigint): number[] {
  return groups.reduce<number[]>(
    (rest, group) => {
      const hits = new Set(group.tests.filter((test) => holds(test, value)).flatMap((test) => test.selectors));
      return rest.filter((s) => (group.negate ? !hits.has(s) : hits.has(s) || !group.selectors.includes(s)));
    },
    [...left],
  );
}

function holds({ op, signed, value, upper = 0n }: IntTest, raw: bigint): boolean {
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

const all = (selectors: readonly unknown[]): number[] => selectors.map((_, i) => i);
const several = <T>(of: fc.Arbitrary<T>, most: number): fc.Arbitrary<T[]> =>
  fc.array(of, { minLength: 1, maxLength: most });

describe('policy: properties of values', function () {
  this.timeout(60_000);

  it('finds the numbers that the filters match', () => {
    const number = fc.integer({ min: -6, max: 12 }).map(String);
    const range = fc.tuple(fc.integer({ min: -6, max: 6 }), fc.nat(5)).map(([from, size]) => `${from}:${from + size}`);
    const filter = fc.oneof(
      fc.record({ operator: fc.constantFrom('Equal', 'NotEqual', 'GT', 'LT'), values: several(number, 12) }),
      fc.record({ operator: fc.constantFrom('InMap', 'NotInMap'), values: several(fc.oneof(number, range), 12) }),
      fc.record({ operator: fc.constantFrom('InRange', 'NotInRange'), values: several(range, 4) }),
    );
    fc.assert(
      fc.property(several(several(filter, 3), 4), fc.integer({ min: -8, max: 14 }), (selectors, value) => {
        const image = imageOf('int', selectors);
        const raw = BigInt.asUintN(64, BigInt(value));
        const left = afterTable(all(selectors), image.intTable, (entry) => (entry === raw ? 0 : -1));
        const found = afterGroups(left, image.ints, raw);
        const hits = (base: string, text: string): boolean => {
          const [from = 0, to = from] = text.split(':').map(Number);
          if (base === 'GT') return value > from;
          return base === 'LT' ? value < from : value >= from && value <= to;
        };
        assert.deepEqual(found, wanted(selectors, hits));
      }),
      { numRuns: 400 },
    );
  });

  it('finds the networks that contain an address', () => {
    const byte = fc.constantFrom(0, 1, 128);
    const address = fc.tuple(byte, byte, byte, byte);
    const network = fc
      .tuple(address, fc.integer({ min: 0, max: 32 }))
      .map(([bytes, bits]) => `${bytes.join('.')}/${bits}`);
    const filter = fc.record({ operator: fc.constantFrom('SAddr', 'NotSAddr'), values: several(network, 4) });
    const number = (bytes: readonly number[]): number => bytes.reduce((sum, own) => sum * 256 + own, 0);
    const within = (own: number, base: number, bits: number): boolean =>
      Math.floor(own / 2 ** (32 - bits)) === Math.floor(base / 2 ** (32 - bits));
    fc.assert(
      fc.property(several(several(filter, 3), 4), address, (selectors, bytes) => {
        const own = number(bytes);
        const fits = (prefix: AddressPrefix): number =>
          within(own, number(prefix.bytes), prefix.bits) ? prefix.bits : -1;
        const found = afterTable(all(selectors), imageOf('sock', selectors).net.source, fits);
        const hits = (_: string, text: string): boolean => {
          const [base = '', bits = ''] = text.split('/');
          return within(own, number(base.split('.').map(Number)), Number(bits));
        };
        assert.deepEqual(found, wanted(selectors, hits));
      }),
      { numRuns: 400 },
    );
  });

  it('finds the substrings that a text has', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'A'), { minLength: 1, maxLength: 5 }).map((list) => list.join(''));
    const filter = fc.record({ operator: fc.constantFrom('SubString', 'SubStringIgnCase'), values: several(text, 3) });
    fc.assert(
      fc.property(several(several(filter, 2), 4), text, (selectors, own) => {
        const scans = imageOf('string', selectors).texts.substrings ?? [];
        const found = scans.reduce<number[]>((left, { ignoreCase, selectors: concerned, needles }) => {
          const read = ignoreCase ? own.toLowerCase() : own;
          const hits = needles.filter((needle) => read.includes(needle.text)).flatMap((needle) => needle.selectors);
          return left.filter((s) => hits.includes(s) || !concerned.includes(s));
        }, all(selectors));
        const hits = (base: string, value: string): boolean =>
          base === 'SubString' ? own.includes(value) : own.toLowerCase().includes(value.toLowerCase());
        assert.deepEqual(found, wanted(selectors, hits));
      }),
      { numRuns: 300 },
    );
  });
});
