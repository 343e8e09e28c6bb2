/**
 * Generates instructions from typed expressions. The operand that needs more registers is computed first, so that the
 * whole expression needs as few as possible.
 */
import { CEL_REGISTERS } from '../language/limits.js';
import type { CelOp, CelStep } from '../../compiled/compiled-policy.js';
import { makeOperation, type TypedExpression } from './typed-expression.js';

/** The result is left in register 0. Returns undefined if there are not enough registers. */
export function generateSteps(tree: TypedExpression): CelStep[] | undefined {
  if (registerCount(tree) > CEL_REGISTERS) return undefined;
  const steps: CelStep[] = [];
  emit(tree, 0, steps);
  return steps;
}

function makeStep(op: CelOp, to: number, a: number, b: number, imm = 0n): CelStep {
  return { op, to, a, b, imm };
}

/** Emits the steps that leave the result in register `to`. Lower registers are in use. */
function emit(tree: TypedExpression, to: number, steps: CelStep[]): void {
  switch (tree.kind) {
    case 'const':
      steps.push(makeStep('const', to, 0, 0, tree.value));
      break;
    case 'value':
      steps.push(makeStep('value', to, 0, 0, BigInt(tree.slot)));
      break;
    case 'in':
      emitMembership(tree.value, tree.list, to, steps);
      break;
    case 'op':
      if (tree.op === 'select') emitConditional(tree.operands, to, steps);
      else emitOperation(tree.op, tree.operands, tree.imm, to, steps);
      break;
  }
}

function emitOperation(op: CelOp, [a, b]: readonly TypedExpression[], imm: bigint, to: number, steps: CelStep[]): void {
  if (a === undefined) return;
  if (b === undefined) {
    emit(a, to, steps);
    steps.push(makeStep(op, to, to, 0, imm));
    return;
  }
  const reversed = registerCount(b) > registerCount(a);
  emit(reversed ? b : a, to, steps);
  emit(reversed ? a : b, to + 1, steps);
  steps.push(reversed ? makeStep(op, to, to + 1, to) : makeStep(op, to, to, to + 1));
}

/** Computes the branch that needs more registers first. If that is the second branch, the condition is inverted. */
function emitConditional(operands: readonly TypedExpression[], to: number, steps: CelStep[]): void {
  const [condition, heavy, light] = orderBranches(operands);
  emit(heavy, to, steps);
  emit(condition, to + 1, steps);
  emit(light, to + 2, steps);
  steps.push(makeStep('select', to, to + 1, to + 2));
}

function orderBranches(
  operands: readonly TypedExpression[],
): readonly [TypedExpression, TypedExpression, TypedExpression] {
  const [condition, then, otherwise] = operands as readonly [TypedExpression, TypedExpression, TypedExpression];
  if (registerCount(otherwise) <= registerCount(then)) return [condition, then, otherwise];
  return [makeOperation('not', 'bool', [condition]), otherwise, then];
}

function emitMembership(value: TypedExpression, list: readonly TypedExpression[], to: number, steps: CelStep[]): void {
  emit(value, to, steps);
  list.forEach((each, i) => {
    const own = to + (i === 0 ? 1 : 2);
    emit(each, own, steps);
    const isLast = i === list.length - 1;
    steps.push(makeStep('eq', i === 0 && isLast ? to : own, own, to));
    if (i > 0) steps.push(makeStep('either', isLast ? to : to + 1, to + 1, to + 2));
  });
}

const registerCounts = new WeakMap<TypedExpression, number>();

/** The number of registers that the instructions of a tree use. */
function registerCount(tree: TypedExpression): number {
  const before = registerCounts.get(tree);
  if (before !== undefined) return before;
  const count = countRegisters(tree);
  registerCounts.set(tree, count);
  return count;
}

function countRegisters(tree: TypedExpression): number {
  if (tree.kind === 'const' || tree.kind === 'value') return 1;
  if (tree.kind === 'in') {
    return Math.max(registerCount(tree.value), ...tree.list.map((each, i) => registerCount(each) + (i === 0 ? 1 : 2)));
  }
  if (tree.op === 'select') {
    const [condition, heavy, light] = orderBranches(tree.operands);
    return Math.max(registerCount(heavy), registerCount(condition) + 1, registerCount(light) + 2);
  }
  const counts = tree.operands.map(registerCount).sort((a, b) => b - a);
  return Math.max(counts[0] ?? 1, (counts[1] ?? 0) + 1);
}
