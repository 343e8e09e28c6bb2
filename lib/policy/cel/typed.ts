/** An expression with known names and types. Instructions are made from it. */
import type { CelOp } from '../../compiled/compiled-policy.js';
import { compute } from './arithmetic.js';

/** The types of numbers. `int` and `uint` have 64 bits. */
export const NUMBER_TYPES = {
  int: { signed: true, bits: 64 },
  int32: { signed: true, bits: 32 },
  int16: { signed: true, bits: 16 },
  int8: { signed: true, bits: 8 },
  uint: { signed: false, bits: 64 },
  uint32: { signed: false, bits: 32 },
  uint16: { signed: false, bits: 16 },
  uint8: { signed: false, bits: 8 },
} as const;
export type NumberType = keyof typeof NUMBER_TYPES;
export type CelType = NumberType | 'bool';

export type Typed = { readonly type: CelType } & (
  | {
      readonly kind: 'const';
      /** The value in two's complement. */
      readonly value: bigint;
      /** True if the number is written without a cast. It then takes the type of the other operand. */
      readonly literal: boolean;
    }
  | { readonly kind: 'value'; readonly slot: number; readonly late: boolean }
  | { readonly kind: 'op'; readonly op: CelOp; readonly operands: readonly Typed[]; readonly imm: bigint }
  | { readonly kind: 'in'; readonly value: Typed; readonly list: readonly Typed[] }
);

export function constant(type: CelType, value: bigint, literal = false): Typed {
  return { kind: 'const', type, value: BigInt.asUintN(64, value), literal };
}

export const truth = (value: boolean): Typed => constant('bool', value ? 1n : 0n);

/** If all operands are constants, the result is computed here. */
export function operation(op: CelOp, type: CelType, operands: readonly Typed[], imm = 0n): Typed {
  const known = operands.filter((operand) => operand.kind === 'const');
  if (known.length === operands.length) {
    const value = compute(op, known[0]?.value ?? 0n, known[1]?.value ?? 0n, imm);
    if (value !== undefined) return constant(type, value, type !== 'bool' && known.every((operand) => operand.literal));
  }
  return { kind: 'op', op, type, operands, imm };
}

/** Instructions whose result can have more bits than a narrow type. The others keep the bits in range. */
const LEAVES_RANGE: ReadonlySet<CelOp> = new Set(['add', 'sub', 'mul', 'divS', 'shl', 'negate', 'invert']);

/** An operation whose result wraps around at the width of its type. */
export function arithmetic(op: CelOp, type: NumberType, operands: readonly Typed[]): Typed {
  const whole = operation(op, type, operands);
  return LEAVES_RANGE.has(op) ? narrowed(whole, type) : whole;
}

/** Keeps the lowest bits, as many as the type has. */
export function narrowed(tree: Typed, type: NumberType): Typed {
  const { signed, bits } = NUMBER_TYPES[type];
  return bits === 64 ? { ...tree, type } : operation(signed ? 'signExtend' : 'zeroExtend', type, [tree], BigInt(bits));
}

/** The smallest and the largest number of a type. */
export function limitsOf(type: NumberType): readonly [bigint, bigint] {
  const { signed, bits } = NUMBER_TYPES[type];
  const size = 2n ** BigInt(signed ? bits - 1 : bits);
  return [signed ? -size : 0n, size - 1n];
}

/** Makes the tree for `condition ? then : otherwise`. */
export function choice(condition: Typed, then: Typed, otherwise: Typed): Typed {
  if (condition.kind === 'const') return condition.value !== 0n ? then : otherwise;
  return { kind: 'op', op: 'select', type: then.type, operands: [condition, then, otherwise], imm: 0n };
}

/** True if the expression needs a value that is known only when the function returns. */
export function isLate(tree: Typed): boolean {
  switch (tree.kind) {
    case 'const':
      return false;
    case 'value':
      return tree.late;
    case 'op':
      return tree.operands.some(isLate);
    case 'in':
      return [tree.value, ...tree.list].some(isLate);
  }
}
