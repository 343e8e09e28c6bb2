/** Computes CEL instructions on 64 bits, for constant folding and for the evaluation of recorded calls. */
import type { CelOp } from '../../compiled/compiled-policy.js';

type Compute = (a: bigint, b: bigint, imm: bigint) => bigint | undefined;

const toSigned = (value: bigint): bigint => BigInt.asIntN(64, value);
const toBit = (holds: boolean): bigint => (holds ? 1n : 0n);

const ARITHMETIC: Readonly<Partial<Record<CelOp, Compute>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? undefined : a / b),
  mod: (a, b) => (b === 0n ? undefined : a % b),
  divS: (a, b) => (b === 0n ? undefined : toSigned(a) / toSigned(b)),
  modS: (a, b) => (b === 0n ? undefined : toSigned(a) % toSigned(b)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => (b >= 64n ? 0n : a << b),
  shr: (a, b) => (b >= 64n ? 0n : a >> b),
  sar: (a, b) => toSigned(a) >> (b >= 64n ? 63n : b),
  eq: (a, b) => toBit(a === b),
  ne: (a, b) => toBit(a !== b),
  lt: (a, b) => toBit(a < b),
  le: (a, b) => toBit(a <= b),
  ltS: (a, b) => toBit(toSigned(a) < toSigned(b)),
  leS: (a, b) => toBit(toSigned(a) <= toSigned(b)),
  both: (a, b) => toBit(a !== 0n && b !== 0n),
  either: (a, b) => toBit(a !== 0n || b !== 0n),
  not: (a) => toBit(a === 0n),
  invert: (a) => ~a,
  negate: (a) => -a,
  signExtend: (a, _b, imm) => BigInt.asIntN(Number(imm), a),
  zeroExtend: (a, _b, imm) => BigInt.asUintN(Number(imm), a),
};

/** Undefined for a division by zero, and for instructions that are not arithmetic. */
export function compute(op: CelOp, a: bigint, b: bigint, imm: bigint): bigint | undefined {
  const result = ARITHMETIC[op]?.(a, b, imm);
  return result === undefined ? undefined : BigInt.asUintN(64, result);
}
