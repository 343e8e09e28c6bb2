/** Evaluates steps of expressions one by one, and generates lists of steps for tests. */
import fc from 'fast-check';
import type { CelOp, CelStep } from '../../../../types/index.js';
import { toSigned } from './bpf-machine.js';

export const VALUES = 9;
/** Numbers at the limits of signs, carries and shifts. */
export const EDGES = [
  0n,
  1n,
  2n,
  7n,
  63n,
  64n,
  65n,
  0x7fn,
  0x80n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 63n + 1n,
  2n ** 64n - 2n,
  2n ** 64n - 1n,
] as const;

const toUnsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

type Binary = (a: bigint, b: bigint) => bigint | boolean;

export const BINARY = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => (b > 63n ? 0n : a << b),
  shr: (a, b) => (b > 63n ? 0n : a >> b),
  sar: (a, b) => toSigned(a) >> (b > 63n ? 63n : b),
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  ltS: (a, b) => toSigned(a) < toSigned(b),
  leS: (a, b) => toSigned(a) <= toSigned(b),
} satisfies Partial<Record<CelOp, Binary>>;

export const DIVISIONS = {
  div: (a, b) => a / b,
  mod: (a, b) => a % b,
  divS: (a, b) => toSigned(a) / toSigned(b),
  modS: (a, b) => toSigned(a) % toSigned(b),
} satisfies Partial<Record<CelOp, Binary>>;

/** The result of a step, or undefined for an error. */
type Result = bigint | undefined;

/** An error of one side counts only if the other side does not decide. */
function computeLogic(a: Result, b: Result, decides: boolean): Result {
  const decided = [a, b].some((side) => side !== undefined && (side !== 0n) === decides);
  if (decided) return decides ? 1n : 0n;
  return a === undefined || b === undefined ? undefined : decides ? 0n : 1n;
}

function computeStep({ op, imm }: CelStep, to: Result, a: Result, b: Result, values: readonly bigint[]): Result {
  if (op === 'const') return imm;
  if (op === 'value') return values[Number(imm)];
  if (op === 'both' || op === 'either') return computeLogic(a, b, op === 'either');
  if (op === 'select') return a === undefined ? undefined : a !== 0n ? to : b;
  if (a === undefined) return undefined;
  if (op === 'not') return a === 0n ? 1n : 0n;
  if (op === 'invert') return ~a;
  if (op === 'negate') return -a;
  if (op === 'signExtend') return BigInt.asIntN(Number(imm), a);
  if (op === 'zeroExtend') return BigInt.asUintN(Number(imm), a);
  if (b === undefined) return undefined;
  if (op in DIVISIONS) return b === 0n ? undefined : DIVISIONS[op as keyof typeof DIVISIONS](a, b);
  return BigInt(BINARY[op as keyof typeof BINARY](a, b));
}

/** Returns the candidates that remain after the steps. */
export function evaluateSteps(steps: readonly CelStep[], values: readonly bigint[], candidates: bigint): bigint {
  const registers: Result[] = [];
  for (const step of steps) {
    if (step.op === 'filter') {
      const condition = registers[step.a];
      const mask = (step.selectors ?? []).reduce((bits, index) => bits | (1n << BigInt(index)), 0n);
      if (condition === undefined || condition === 0n) candidates &= toUnsigned(~mask);
      continue;
    }
    const own = computeStep(step, registers[step.to], registers[step.a], registers[step.b], values);
    registers[step.to] = own === undefined ? undefined : toUnsigned(own);
  }
  return candidates;
}

export const step = (op: CelOp, to: number, a = 0, b = 0, imm = 0n): CelStep => ({ op, to, a, b, imm });

export const anyNumber = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
export const anyValues = fc.array(anyNumber, { minLength: VALUES, maxLength: VALUES });

const OPERATIONS: readonly CelOp[] = [
  ...(Object.keys(BINARY) as CelOp[]),
  // Operations that cause or handle errors have a higher weight.
  ...(Object.keys(DIVISIONS) as CelOp[]),
  ...(Object.keys(DIVISIONS) as CelOp[]),
  ...(['both', 'either', 'select', 'both', 'either', 'select', 'not', 'invert', 'negate'] as const),
  ...(['signExtend', 'zeroExtend', 'filter', 'filter', 'const', 'value'] as const),
];

/**
 * Steps that read no uninitialized register, with filters in between, and a filter of each register at the end.
 */
export const anySteps: fc.Arbitrary<CelStep[]> = fc
  .array(
    fc.record({
      op: fc.constantFrom(...OPERATIONS),
      to: fc.nat(7),
      a: fc.nat(7),
      b: fc.nat(7),
      number: anyNumber,
      selector: fc.nat(63),
    }),
    { minLength: 1, maxLength: 16 },
  )
  .map((wishes) => {
    const written = [0, 1];
    const steps = [step('value', 0, 0, 0, 0n), step('value', 1, 0, 0, 1n)];
    const writtenRegister = (wish: number): number => written[wish % written.length] as number;
    for (const { op, to, a, b, number, selector } of wishes) {
      const imm =
        op === 'const'
          ? number
          : op === 'value'
            ? number % BigInt(VALUES)
            : op.endsWith('Extend')
              ? 1n + (number % 64n)
              : 0n;
      const target = op === 'select' ? writtenRegister(to) : to;
      const own = step(op, target, writtenRegister(a), writtenRegister(b), imm);
      steps.push(op === 'filter' ? { ...own, selectors: [selector, (selector * 7) % 64] } : own);
      if (op !== 'filter' && !written.includes(target)) written.push(target);
    }
    return [...steps, ...written.map((own, i) => ({ ...step('filter', 0, own), selectors: [i] }))];
  });
