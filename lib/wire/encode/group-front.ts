/**
 * The first check of a group (bpf/group.bpf.h). Perhaps each rule of the group compares a number, a process set or a scope.
 * A call that can satisfy no rule then ends before its path is resolved. Pure.
 */
import { GroupHeader, GroupNeed, GroupTestKind, IntOp } from '../layout.gen.js';
import type { GroupRuleSource, GroupTestSource } from './group-hook.js';
import { setCountedBits } from './tables.js';

/** Numbers from here on share one bit. */
const GREATER = 63;
const NUMBERS = Array.from({ length: GREATER }, (_, i) => BigInt(i));
const WORD = 64;

/** Counts, for each number, set and scope, the rules that need it. */
export class GroupFront {
  readonly #slot: number;
  readonly #numbers = new Uint32Array(GREATER + 1);
  readonly #sets = new Uint32Array(WORD * GroupHeader.setsLength);
  readonly #scopes = new Uint32Array(WORD * GroupHeader.scopesLength);
  /** Rules that need a set, or a scope. */
  #withSet = 0;
  #withScope = 0;
  #rules = 0;

  /** `slot`: of the number. */
  constructor(slot: number) {
    this.#slot = slot;
  }

  /** Counts the rules of a hook. `sign`: 1 to add them, -1 to remove them. */
  count(rules: readonly GroupRuleSource[], sign: 1 | -1): void {
    for (const { tests } of rules) {
      this.#rules += sign;
      const numbers = listNumbers(tests, this.#slot);
      for (const number of numbers) this.#numbers[number] = (this.#numbers[number] ?? 0) + sign;
      const set = findNeeded(tests, GroupTestKind.GROUP_TEST_SET);
      if (set !== undefined) {
        this.#withSet += sign;
        this.#sets[set] = (this.#sets[set] ?? 0) + sign;
      }
      const scope = findNeeded(tests, GroupTestKind.GROUP_TEST_SCOPE);
      if (scope !== undefined) {
        this.#withScope += sign;
        this.#scopes[scope] = (this.#scopes[scope] ?? 0) + sign;
      }
    }
  }

  /** Writes the members of struct group_header. */
  encode(view: DataView, at: number): void {
    const needs =
      (this.#numbers.every((count) => count > 0) ? 0 : GroupNeed.GROUP_NEEDS_NUMBER) |
      (this.#withSet === this.#rules ? GroupNeed.GROUP_NEEDS_SET : 0) |
      (this.#withScope === this.#rules ? GroupNeed.GROUP_NEEDS_SCOPE : 0);
    view.setUint8(at + GroupHeader.needs, needs);
    setCountedBits(view, at + GroupHeader.numbers, this.#numbers);
    setCountedBits(view, at + GroupHeader.sets, this.#sets);
    setCountedBits(view, at + GroupHeader.scopes, this.#scopes);
  }
}

/** The bits of the numbers with which the comparisons of the slot can hold. */
function listNumbers(tests: readonly GroupTestSource[], slot: number): number[] {
  const groups = listAlternatives(tests).filter(
    ([first]) => first?.kind === GroupTestKind.GROUP_TEST_NUMBER && first.index === slot,
  );
  const holds = (number: bigint): boolean =>
    groups.every((group) => group.some((test) => compare(number, test)) !== group[0]?.negate);
  const isSmall = ({ op, value, negate }: GroupTestSource): boolean =>
    !negate && op === IntOp.INT_EQUAL && value >= 0n && value < BigInt(GREATER);
  const result = NUMBERS.filter(holds).map(Number);
  if (!groups.some((group) => group.every(isSmall))) result.push(GREATER);
  return result;
}

function listAlternatives(tests: readonly GroupTestSource[]): GroupTestSource[][] {
  const result: GroupTestSource[][] = [];
  let isNew = true;
  for (const test of tests) {
    if (isNew) result.push([]);
    result.at(-1)?.push(test);
    isNew = test.last;
  }
  return result;
}

/** A small number is the same with and without a sign. */
function compare(number: bigint, { op, value, upper }: GroupTestSource): boolean {
  const signed = (bits: bigint): bigint => BigInt.asIntN(64, bits);
  const [against, last] = [BigInt.asUintN(64, value), BigInt.asUintN(64, upper)];
  switch (op) {
    case IntOp.INT_EQUAL:
      return number === against;
    case IntOp.INT_MASK:
      return (number & against) !== 0n;
    case IntOp.INT_GREATER:
      return number > against;
    case IntOp.INT_LESS:
      return number < against;
    case IntOp.INT_GREATER_SIGNED:
      return number > signed(against);
    case IntOp.INT_LESS_SIGNED:
      return number < signed(against);
    case IntOp.INT_RANGE:
      return number >= against && number <= last;
    case IntOp.INT_RANGE_SIGNED:
      return number >= signed(against) && number <= signed(last);
    default:
      return true;
  }
}

/** The first bit that the rule needs. */
function findNeeded(tests: readonly GroupTestSource[], kind: number): number | undefined {
  const needed = listAlternatives(tests).find(
    (group) => group.length === 1 && group[0]?.kind === kind && !group[0].negate,
  );
  return needed?.[0]?.index;
}
