/**
 * Turns typed expressions into instructions. The operand that needs more registers is computed first, to use as few as
 * possible.
 */
import { CEL_REGISTERS } from '../language/limits.js';
import type { CelOp, CelStep } from '../../compiled/compiled-policy.js';
import { operation, type Typed } from './typed.js';

/** The result is in register 0. Returns undefined if there are not enough registers. */
export function generate(tree: Typed): CelStep[] | undefined {
  if (registers(tree) > CEL_REGISTERS) return undefined;
  const steps: CelStep[] = [];
  emit(tree, 0, steps);
  return steps;
}

function step(op: CelOp, to: number, a: number, b: number, imm = 0n): CelStep {
  return { op, to, a, b, imm };
}

/** Puts the result into register `to`. Lower registers are in use. */
function emit(tree: Typed, to: number, steps: CelStep[]): void {
  switch (tree.kind) {
    case 'const':
      steps.push(step('const', to, 0, 0, tree.value));
      break;
    case 'value':
      steps.push(step('value', to, 0, 0, BigInt(tree.slot)));
      break;
    case 'in':
      emitMembership(tree.value, tree.list, to, steps);
      break;
    case 'op':
      if (tree.op === 'select') emitChoice(tree.operands, to, steps);
      else emitOperation(tree.op, tree.operands, tree.imm, to, steps);
      break;
  }
}

function emitOperation(op: CelOp, [a, b]: readonly Typed[], imm: bigint, to: number, steps: CelStep[]): void {
  if (a === undefined) return;
  if (b === undefined) {
    emit(a, to, steps);
    steps.push(step(op, to, to, 0, imm));
    return;
  }
  const reversed = registers(b) > registers(a);
  emit(reversed ? b : a, to, steps);
  emit(reversed ? a : b, to + 1, steps);
  steps.push(reversed ? step(op, to, to + 1, to) : step(op, to, to, to + 1));
}

/** Computes the side that needs more registers first. If that is the second side, the condition is inverted. */
function emitChoice(operands: readonly Typed[], to: number, steps: CelStep[]): void {
  const [condition, heavy, light] = inOrder(operands);
  emit(heavy, to, steps);
  emit(condition, to + 1, steps);
  emit(light, to + 2, steps);
  steps.push(step('select', to, to + 1, to + 2));
}

function inOrder(operands: readonly Typed[]): readonly [Typed, Typed, Typed] {
  const [condition, then, otherwise] = operands as readonly [Typed, Typed, Typed];
  if (registers(otherwise) <= registers(then)) return [condition, then, otherwise];
  return [operation('not', 'bool', [condition]), otherwise, then];
}

function emitMembership(value: Typed, list: readonly Typed[], to: number, steps: CelStep[]): void {
  emit(value, to, steps);
  list.forEach((each, i) => {
    const own = to + (i === 0 ? 1 : 2);
    emit(each, own, steps);
    const isLast = i === list.length - 1;
    steps.push(step('eq', i === 0 && isLast ? to : own, own, to));
    if (i > 0) steps.push(step('either', isLast ? to : to + 1, to + 1, to + 2));
  });
}

const known = new WeakMap<Typed, number>();

/** The number of registers that the instructions of a tree use. */
function registers(tree: Typed): number {
  const before = known.get(tree);
  if (before !== undefined) return before;
  const count = countRegisters(tree);
  known.set(tree, count);
  return count;
}

function countRegisters(tree: Typed): number {
  if (tree.kind === 'const' || tree.kind === 'value') return 1;
  if (tree.kind === 'in') {
    return Math.max(registers(tree.value), ...tree.list.map((each, i) => registers(each) + (i === 0 ? 1 : 2)));
  }
  if (tree.op === 'select') {
    const [condition, heavy, light] = inOrder(tree.operands);
    return Math.max(registers(heavy), registers(condition) + 1, registers(light) + 2);
  }
  const counts = tree.operands.map(registers).sort((a, b) => b - a);
  return Math.max(counts[0] ?? 1, (counts[1] ?? 0) + 1);
}
