/** An expression with known names and types. Instructions are made from it. */
import type { CelOp } from '../../image/image.js';
import { compute } from './arithmetic.js';

export type CelType = 'int' | 'uint' | 'bool';

export type Typed = { readonly type: CelType } & (
  | {
      readonly kind: 'const';
      /** The value in two's complement. */
      readonly value: bigint;
      /** True if the number is written without a type. Then it can be used together with a uint too. */
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
    if (value !== undefined) return constant(type, value, type === 'int' && known.every((operand) => operand.literal));
  }
  return { kind: 'op', op, type, operands, imm };
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
