/** The first check of a group lets through each call that a rule selects. */
import assert from 'node:assert/strict';
import { GroupFront } from '../../../../lib/wire/encode/group-front.js';
import type { GroupRuleSource, GroupTestSource } from '../../../../lib/wire/encode/group-hook.js';
import { GroupHeader, GroupNeed, GroupTestKind, IntOp } from '../../../../lib/wire/layout.gen.js';

const NUMBER = GroupTestKind.GROUP_TEST_NUMBER;
const test = (kind: number, index: number, more: Partial<GroupTestSource> = {}): GroupTestSource => ({
  ...{ kind, index, op: IntOp.INT_EQUAL, value: 0n, upper: 0n, negate: false, last: true },
  ...more,
});
const rule = (...tests: readonly GroupTestSource[]): GroupRuleSource => ({
  ...{ selector: 0, flags: 0, numbers: new Map(), networks: new Map(), tests, further: [] },
});

interface Header {
  readonly needs: number;
  readonly accepts: (number: number) => boolean;
  readonly sets: readonly bigint[];
  readonly scopes: readonly bigint[];
}

function read(front: GroupFront): Header {
  const view = new DataView(new ArrayBuffer(GroupHeader.sizeof));
  front.encode(view, 0);
  const numbers = view.getBigUint64(GroupHeader.numbers, true);
  const words = (at: number): bigint[] => [0, 1, 2, 3].map((i) => view.getBigUint64(at + 8 * i, true));
  return {
    needs: view.getUint8(GroupHeader.needs),
    accepts: (number) => ((numbers >> BigInt(Math.min(number, 63))) & 1n) === 1n,
    sets: words(GroupHeader.sets),
    scopes: words(GroupHeader.scopes),
  };
}

describe('what all rules of a group need', () => {
  it('numbers: each that a comparison of the slot accepts, and greater ones unless Equal names small ones', () => {
    const minus = BigInt.asUintN(64, -5n);
    const cases: [Partial<GroupTestSource>, (number: number) => boolean, isGreater: boolean][] = [
      [{ value: 4n }, (n) => n === 4, false],
      [{ value: 63n }, () => false, true],
      [{ value: 4n, negate: true }, (n) => n !== 4, true],
      [{ value: 6n, op: IntOp.INT_MASK }, (n) => (n & 6) !== 0, true],
      [{ value: 9n, op: IntOp.INT_GREATER }, (n) => n > 9, true],
      [{ value: 9n, op: IntOp.INT_LESS }, (n) => n < 9, true],
      [{ value: minus, op: IntOp.INT_GREATER_SIGNED }, () => true, true],
      [{ value: minus, op: IntOp.INT_LESS_SIGNED }, () => false, true],
      [{ value: 3n, upper: 5n, op: IntOp.INT_RANGE }, (n) => n >= 3 && n <= 5, true],
      [{ value: minus, upper: 5n, op: IntOp.INT_RANGE_SIGNED }, (n) => n <= 5, true],
    ];
    for (const [comparison, accepts, isGreater] of cases) {
      const front = new GroupFront(1);
      front.count([rule(test(NUMBER, 0, { value: 7n }), test(NUMBER, 1, comparison))], 1);
      const header = read(front);
      const name = `${comparison.op} ${comparison.value}`;
      assert.ok((header.needs & GroupNeed.GROUP_NEEDS_NUMBER) !== 0 || cases[6]?.[0] === comparison, name);
      for (let n = 0; n < 63; n++) assert.equal(header.accepts(n), accepts(n), `${name}: ${n}`);
      assert.equal(header.accepts(63), isGreater, name);
    }
  });

  it('alternatives are enough, all groups of them are needed, and other rules add theirs', () => {
    const front = new GroupFront(1);
    const first = [rule(test(NUMBER, 1, { value: 2n, last: false }), test(NUMBER, 1, { value: 4n }))];
    const second = [rule(test(NUMBER, 1, { value: 9n, op: IntOp.INT_GREATER }), test(NUMBER, 1, { value: 10n }))];
    front.count([...first, ...second], 1);
    const accepted = (): number[] => Array.from({ length: 64 }, (_, n) => n).filter(read(front).accepts);
    assert.deepEqual(accepted(), [2, 4, 10]);
    front.count(first, -1);
    assert.deepEqual(accepted(), [10]);
    front.count([rule()], 1);
    assert.equal(accepted().length, 64);
    assert.equal(read(front).needs & GroupNeed.GROUP_NEEDS_NUMBER, 0);
  });

  it('sets and scopes: only if each rule needs one; their bits stay right while one does not', () => {
    const front = new GroupFront(1);
    const { GROUP_NEEDS_SET, GROUP_NEEDS_SCOPE } = GroupNeed;
    const needs = (): number => read(front).needs & (GROUP_NEEDS_SET | GROUP_NEEDS_SCOPE);
    const inSet = [rule(test(GroupTestKind.GROUP_TEST_SET, 70))];
    const inBoth = [rule(test(GroupTestKind.GROUP_TEST_SCOPE, 3), test(GroupTestKind.GROUP_TEST_SET, 1))];
    const others = [
      rule(test(GroupTestKind.GROUP_TEST_SET, 5, { negate: true })),
      rule(test(GroupTestKind.GROUP_TEST_PARENT_SET, 6)),
      rule(test(GroupTestKind.GROUP_TEST_SET, 7, { last: false }), test(GroupTestKind.GROUP_TEST_SCOPE, 8)),
    ];
    front.count([...inSet, ...inBoth], 1);
    assert.equal(needs(), GROUP_NEEDS_SET);
    assert.deepEqual(read(front).sets, [2n, 64n, 0n, 0n]);
    for (const other of others) {
      front.count([other], 1);
      assert.equal(needs(), 0);
      assert.deepEqual(
        [read(front).sets, read(front).scopes],
        [
          [2n, 64n, 0n, 0n],
          [8n, 0n, 0n, 0n],
        ],
      );
      front.count([other], -1);
    }
    front.count(inSet, -1);
    assert.equal(needs(), GROUP_NEEDS_SET | GROUP_NEEDS_SCOPE);
    assert.deepEqual(read(front).sets, [2n, 0n, 0n, 0n]);
  });
});
