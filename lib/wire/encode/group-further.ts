/**
 * The further filters on strings in a group: each has a number like a rule, and its values lead to it. If they are in
 * the same table as the values that lead to the rule, the sets of the table say whether the filter holds. Pure.
 */
import { GroupLimit, GroupSet, GroupTestKind, IntOp } from '../layout.gen.js';
import { clearBit, clearBitAt, hasBit, setBitAt } from './group-bits.js';
import type { GroupRuleSource, GroupTestSource } from './group-hook.js';

export interface FurtherNumber {
  readonly number: number;
  readonly negate: boolean;
  /** Its values are in the table whose values lead to the rule. */
  readonly isSameTable: boolean;
}

/** The further filters of each rule. Their numbers follow those of all rules. */
export function numberFurther(rules: readonly GroupRuleSource[], firstRule: number): FurtherNumber[][] {
  let next = firstRule + rules.length;
  return rules.map(({ strings, further }) =>
    further.map(({ string, table, negate }) => ({
      number: next++,
      negate,
      isSameTable: string === strings?.string && table === strings.table,
    })),
  );
}

/** The comparisons for filters in the other table than the values that lead to the rule. */
export function stringTests(further: readonly FurtherNumber[]): GroupTestSource[] {
  const test = { kind: GroupTestKind.GROUP_TEST_STRING, op: IntOp.INT_EQUAL, value: 0n, upper: 0n, last: true };
  return further
    .filter(({ isSameTable }) => !isSameTable)
    .map(({ number, negate }) => ({ ...test, index: number, negate }));
}

export class GroupFurther {
  /** One bit for each number of a further filter. */
  readonly #numbers = new Uint8Array(GroupLimit.GROUP_RULES_MAX / 8);
  /** The same for those in the same table as their rule. */
  readonly #sameTable = new Uint8Array(GroupLimit.GROUP_RULES_MAX / 8);
  /** The rule of each number that excludes it. */
  readonly #excluded = new Map<number, number>();
  /** The numbers that each rule needs. */
  readonly #needed = new Map<number, readonly number[]>();

  get isEmpty(): boolean {
    return this.#numbers.every((byte) => byte === 0);
  }

  add(rule: number, further: readonly FurtherNumber[]): void {
    const needed: number[] = [];
    for (const { number, negate, isSameTable } of further) {
      setBitAt(this.#numbers, 0, number);
      if (!isSameTable) continue;
      setBitAt(this.#sameTable, 0, number);
      if (negate) this.#excluded.set(number, rule);
      else needed.push(number);
    }
    if (needed.length > 0) this.#needed.set(rule, needed);
  }

  /** Forgets what is known about the number of a rule, or of a further filter. */
  remove(number: number): void {
    clearBitAt(this.#numbers, 0, number);
    clearBitAt(this.#sameTable, 0, number);
    this.#excluded.delete(number);
    this.#needed.delete(number);
  }

  /** The set without the rules whose filters in the same table do not hold, and without these filters. */
  visibleRules(bytes: Uint8Array): Uint8Array {
    const visible = bytes.slice();
    for (const [rule, needed] of this.#needed) {
      if (needed.some((number) => !hasBit(bytes, number))) clearBit(visible, rule);
    }
    this.#sameTable.forEach((numbers, i) => {
      const own = numbers & (bytes[GroupSet.words + i] ?? 0);
      for (let bit = 0; own >> bit > 0; bit++) {
        if (((own >> bit) & 1) === 0) continue;
        const number = 8 * i + bit;
        clearBit(visible, number);
        const rule = this.#excluded.get(number);
        if (rule !== undefined) clearBit(visible, rule);
      }
    });
    return visible;
  }

  /** True if the set has a rule, and not only further filters. */
  hasRules(bytes: Uint8Array): boolean {
    return this.#numbers.some((numbers, i) => ((bytes[GroupSet.words + i] ?? 0) & ~numbers) !== 0);
  }
}
