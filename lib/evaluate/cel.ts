/** Expressions: their instructions on the numbers of a call, as the BPF programs run them (lib/wire/encode/cel.ts). */
import type { CelStep } from '../compiled/compiled-policy.js';
import { compute } from '../policy/index.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { Candidates } from './candidates.js';

/** `error`: the expression divides by zero. `unknown`: it needs a value that is not there. */
type Result = bigint | 'error' | 'unknown';

/** `numberAt` gives the number in a slot; undefined if it is not known. */
export function runExpressions(
  candidates: Candidates,
  steps: readonly CelStep[],
  numberAt: (slot: number) => bigint | undefined,
): void {
  const registers: Result[] = [];
  for (const step of steps) {
    if (step.op === 'filter') filter(candidates, registers[step.a] ?? 0n, selectorMask(step.selectors ?? []));
    else registers[step.to] = resultOf(step, registers, numberAt);
  }
}

function filter(candidates: Candidates, condition: Result, selectors: bigint): void {
  if (condition === 'unknown') candidates.doubt(selectors, 'VALUE_NOT_RECORDED', 'expression');
  else if (condition === 'error' || condition === 0n) candidates.drop(selectors);
}

function resultOf(
  { op, to, a, b, imm }: CelStep,
  registers: readonly Result[],
  numberAt: (slot: number) => bigint | undefined,
): Result {
  const at = (register: number): Result => registers[register] ?? 0n;
  switch (op) {
    case 'const':
      return BigInt.asUintN(64, imm);
    case 'value':
      return numberAt(Number(imm)) ?? 'unknown';
    case 'select':
      return typeof at(a) === 'bigint' ? at(at(a) === 0n ? b : to) : at(a);
    case 'both':
    case 'either':
      return junction(op, at(a), at(b));
    default: {
      const [x, y] = [at(a), UNARY.has(op) ? 0n : at(b)];
      if (x === 'unknown' || y === 'unknown') return 'unknown';
      if (x === 'error' || y === 'error') return 'error';
      return compute(op, x, y, imm) ?? 'error';
    }
  }
}

const UNARY: ReadonlySet<CelStep['op']> = new Set(['not', 'invert', 'negate', 'signExtend', 'zeroExtend']);

/** One side can decide the result, whatever the other is. */
function junction(op: 'both' | 'either', a: Result, b: Result): Result {
  const decides = (side: Result): boolean => typeof side === 'bigint' && (side === 0n) === (op === 'both');
  if (decides(a) || decides(b)) return op === 'both' ? 0n : 1n;
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  if (a === 'error' || b === 'error') return 'error';
  return op === 'both' ? 1n : 0n;
}
