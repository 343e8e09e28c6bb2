/** Runs the instructions of CEL expressions on the numbers of a call, as the BPF programs do (lib/wire/encode/cel.ts). */
import type { CelStep } from '../compiled/compiled-policy.js';
import { compute } from '../policy/index.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { Candidates } from './candidates.js';

/** `error`: the expression divides by zero. `unknown`: it needs a value that was not recorded. */
type CelResult = bigint | 'error' | 'unknown';

/** `readSlot` returns the number in a slot; undefined if it is not known. */
export function runExpressions(
  candidates: Candidates,
  steps: readonly CelStep[],
  readSlot: (slot: number) => bigint | undefined,
): void {
  const registers: CelResult[] = [];
  for (const step of steps) {
    if (step.op === 'filter') applyFilter(candidates, registers[step.a] ?? 0n, selectorMask(step.selectors ?? []));
    else registers[step.to] = computeStep(step.op, step, registers, readSlot);
  }
}

function applyFilter(candidates: Candidates, condition: CelResult, selectors: bigint): void {
  if (condition === 'unknown') candidates.addUncertainty(selectors, 'VALUE_NOT_RECORDED', 'expression');
  else if (condition === 'error' || condition === 0n) candidates.drop(selectors);
}

function computeStep(
  op: Exclude<CelStep['op'], 'filter'>,
  { to, a, b, imm }: CelStep,
  registers: readonly CelResult[],
  readSlot: (slot: number) => bigint | undefined,
): CelResult {
  const readRegister = (register: number): CelResult => registers[register] ?? 0n;
  switch (op) {
    case 'const':
      return BigInt.asUintN(64, imm);
    case 'value':
      return readSlot(Number(imm)) ?? 'unknown';
    case 'select':
      return typeof readRegister(a) === 'bigint' ? readRegister(readRegister(a) === 0n ? b : to) : readRegister(a);
    case 'both':
    case 'either':
      return computeJunction(op, readRegister(a), readRegister(b));
    case 'not':
    case 'invert':
    case 'negate':
    case 'signExtend':
    case 'zeroExtend':
      return computeArithmetic(op, readRegister(a), 0n, imm);
    case 'add':
    case 'sub':
    case 'mul':
    case 'div':
    case 'mod':
    case 'divS':
    case 'modS':
    case 'and':
    case 'or':
    case 'xor':
    case 'shl':
    case 'shr':
    case 'sar':
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'ltS':
    case 'leS':
      return computeArithmetic(op, readRegister(a), readRegister(b), imm);
  }
}

function computeArithmetic(op: CelStep['op'], x: CelResult, y: CelResult, imm: bigint): CelResult {
  if (x === 'unknown' || y === 'unknown') return 'unknown';
  if (x === 'error' || y === 'error') return 'error';
  return compute(op, x, y, imm) ?? 'error';
}

/** One side can decide the result alone, even if the other is unknown or an error. */
function computeJunction(op: 'both' | 'either', a: CelResult, b: CelResult): CelResult {
  const decides = (side: CelResult): boolean => typeof side === 'bigint' && (side === 0n) === (op === 'both');
  if (decides(a) || decides(b)) return op === 'both' ? 0n : 1n;
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  if (a === 'error' || b === 'error') return 'error';
  return op === 'both' ? 1n : 0n;
}
