/** The checked form of an expression: names are resolved and every node has a type. Instructions are generated from it. */
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

export type TypedExpression = { readonly type: CelType } & (
  | {
      readonly kind: 'const';
      /** The value in two's complement. */
      readonly value: bigint;
      /** True for a number without a cast. It takes the type of the other operand. */
      readonly literal: boolean;
    }
  | { readonly kind: 'value'; readonly slot: number; readonly atReturn: boolean }
  | { readonly kind: 'op'; readonly op: CelOp; readonly operands: readonly TypedExpression[]; readonly imm: bigint }
  | { readonly kind: 'in'; readonly value: TypedExpression; readonly list: readonly TypedExpression[] }
);

export function makeConstant(type: CelType, value: bigint, literal = false): TypedExpression {
  return { kind: 'const', type, value: BigInt.asUintN(64, value), literal };
}

export const makeBoolean = (value: boolean): TypedExpression => makeConstant('bool', value ? 1n : 0n);

/** Folds the operation if all operands are constants. */
export function makeOperation(
  op: CelOp,
  type: CelType,
  operands: readonly TypedExpression[],
  imm = 0n,
): TypedExpression {
  const known = operands.filter((operand) => operand.kind === 'const');
  if (known.length === operands.length) {
    const value = compute(op, known[0]?.value ?? 0n, known[1]?.value ?? 0n, imm);
    if (value !== undefined)
      return makeConstant(type, value, type !== 'bool' && known.every((operand) => operand.literal));
  }
  return { kind: 'op', op, type, operands, imm };
}

/** Operations whose result can leave the range of a narrow type. */
const OVERFLOWING_OPS: ReadonlySet<CelOp> = new Set(['add', 'sub', 'mul', 'divS', 'shl', 'negate', 'invert']);

/** An operation whose result wraps around at the width of its type. */
export function makeWrappingOperation(
  op: CelOp,
  type: NumberType,
  operands: readonly TypedExpression[],
): TypedExpression {
  const whole = makeOperation(op, type, operands);
  return OVERFLOWING_OPS.has(op) ? wrapExpression(whole, type) : whole;
}

/** Truncates the value to the bits of the type. */
export function wrapExpression(tree: TypedExpression, type: NumberType): TypedExpression {
  const { signed, bits } = NUMBER_TYPES[type];
  return bits === 64
    ? { ...tree, type }
    : makeOperation(signed ? 'signExtend' : 'zeroExtend', type, [tree], BigInt(bits));
}

/** The smallest and the largest number of a type. */
export function typeRange(type: NumberType): readonly [bigint, bigint] {
  const { signed, bits } = NUMBER_TYPES[type];
  const size = 2n ** BigInt(signed ? bits - 1 : bits);
  return [signed ? -size : 0n, size - 1n];
}

/** Makes the tree for `condition ? then : otherwise`. */
export function makeConditional(
  condition: TypedExpression,
  then: TypedExpression,
  otherwise: TypedExpression,
): TypedExpression {
  if (condition.kind === 'const') return condition.value !== 0n ? then : otherwise;
  return { kind: 'op', op: 'select', type: then.type, operands: [condition, then, otherwise], imm: 0n };
}

/** True if the expression needs a value that is read at the return of the function. */
export function isEvaluatedAtReturn(tree: TypedExpression): boolean {
  switch (tree.kind) {
    case 'const':
      return false;
    case 'value':
      return tree.atReturn;
    case 'op':
      return tree.operands.some(isEvaluatedAtReturn);
    case 'in':
      return [tree.value, ...tree.list].some(isEvaluatedAtReturn);
  }
}
