/** Computes each instruction on 64 bits. It is used for constants, which are computed in advance, and for tests. */
import type { CelOp } from '../../compiled/compiled-policy.js';

type Compute = (a: bigint, b: bigint, imm: bigint) => bigint | undefined;

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (holds: boolean): bigint => (holds ? 1n : 0n);

const ARITHMETIC: Readonly<Partial<Record<CelOp, Compute>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? undefined : a / b),
  mod: (a, b) => (b === 0n ? undefined : a % b),
  divS: (a, b) => (b === 0n ? undefined : signed(a) / signed(b)),
  modS: (a, b) => (b === 0n ? undefined : signed(a) % signed(b)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => (b >= 64n ? 0n : a << b),
  shr: (a, b) => (b >= 64n ? 0n : a >> b),
  sar: (a, b) => signed(a) >> (b >= 64n ? 63n : b),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt: (a, b) => truth(a < b),
  le: (a, b) => truth(a <= b),
  ltS: (a, b) => truth(signed(a) < signed(b)),
  leS: (a, b) => truth(signed(a) <= signed(b)),
  both: (a, b) => truth(a !== 0n && b !== 0n),
  either: (a, b) => truth(a !== 0n || b !== 0n),
  not: (a) => truth(a === 0n),
  invert: (a) => ~a,
  negate: (a) => -a,
  signExtend: (a, _b, imm) => BigInt.asIntN(Number(imm), a),
  zeroExtend: (a, _b, imm) => BigInt.asUintN(Number(imm), a),
};

/** Undefined for a division by zero, and for instructions that compute nothing. */
export function compute(op: CelOp, a: bigint, b: bigint, imm: bigint): bigint | undefined {
  const result = ARITHMETIC[op]?.(a, b, imm);
  return result === undefined ? undefined : BigInt.asUintN(64, result);
}
