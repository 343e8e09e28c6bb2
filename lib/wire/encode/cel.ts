/**
 * Encodes expressions as BPF instructions: the body of `u64 f(const u64 *values, u64 candidates)`, which replaces the
 * body of cel_entry or cel_return (bpf/filters.bpf.h). It contains no branches. The verifier therefore checks it once,
 * and not once for each combination of results. Pure.
 */
import type { CelOp, CelStep } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { BpfCode, FRAME_POINTER, type AluOp } from './bpf.js';
import { AbiLimit } from '../layout.gen.js';
import { selectorMask } from './tables.js';

/** BPF registers: those of the steps' operands, and two (X and Y) that every step can use. */
const CEL_REGISTERS = [0, 3, 4, 5, 6, 7, 8, 9] as const;
const RESULT = 0;
const X = 1;
const Y = 2;
/**
 * Offsets in the stack frame: the two parameters; a byte for each register of the steps, which is 1 if the register is
 * in error; a scratch slot.
 */
const VALUES_OFFSET = -8;
const CANDIDATES_OFFSET = -16;
const ERRORS_OFFSET = -24;
const SCRATCH_OFFSET = -32;

/** Facts about a register that are known when the code is generated. */
interface RegisterFacts {
  /** True if it can be in error. Its byte in the stack frame is 1 if it is. */
  readonly fallible: boolean;
  /** True if it is 0 or 1. */
  readonly truth: boolean;
  /** True if it is a number other than 0. */
  readonly nonzero: boolean;
}

/** Returns exactly `length` instructions. Throws KernelError LIMIT_CEL with the name `hook`. */
export function encodeCel(steps: readonly CelStep[], length: number, hook: string): Uint8Array {
  const writer = new CelWriter();
  for (const step of steps) writer.encodeStep(step);
  const { code } = writer;
  code.load(RESULT, FRAME_POINTER, CANDIDATES_OFFSET);
  if (code.length + 1 > length) {
    throw new KernelError(
      'LIMIT_CEL',
      `${hook}: its expressions need ${code.length + 1} instructions; at most ${length} are allowed`,
      'split the hook into two, each with a part of the expressions',
    );
  }
  while (code.length + 1 < length) code.nop();
  code.exit();
  return code.bytes;
}

const TRUTHS: ReadonlySet<CelOp> = new Set(['eq', 'ne', 'lt', 'le', 'ltS', 'leS', 'both', 'either', 'not']);
const DIVISIONS: ReadonlySet<CelOp> = new Set(['div', 'mod', 'divS', 'modS']);
const UNARY: ReadonlySet<CelOp> = new Set(['not', 'invert', 'negate', 'signExtend', 'zeroExtend']);

class CelWriter {
  readonly code = new BpfCode();
  readonly #facts = new Map<number, RegisterFacts>();

  constructor() {
    this.code.store(FRAME_POINTER, VALUES_OFFSET, 1);
    this.code.store(FRAME_POINTER, CANDIDATES_OFFSET, 2);
  }

  encodeStep(step: CelStep): void {
    if (step.op === 'filter') {
      this.#emitFilter(step.a, selectorMask(step.selectors ?? []));
      return;
    }
    const causes = this.#errorConditions(step);
    // Error and result are computed from the operands, so the target is written last.
    this.#emitError(step.to, causes);
    this.#emitResult(step.op, step);
    this.code.alu('mov', bpfRegister(step.to), X);
    this.#facts.set(step.to, {
      fallible: causes.length > 0,
      truth: this.#isTruth(step),
      nonzero: step.op === 'const' && BigInt.asUintN(64, step.imm) !== 0n,
    });
  }

  #factsAbout(number: number): RegisterFacts {
    const known = this.#facts.get(number);
    if (known === undefined) throw new Error(`a step reads register ${number}, which has no value`);
    return known;
  }

  #isTruth({ op, to, b, imm }: CelStep): boolean {
    if (op === 'const') return imm === 0n || imm === 1n;
    if (op === 'select') return this.#factsAbout(to).truth && this.#factsAbout(b).truth;
    return TRUTHS.has(op);
  }

  /* ---- errors ---- */

  /** Emitters of the conditions under which the step is in error. Each one leaves 1 or 0 in X. */
  #errorConditions({ op, to, a, b }: CelStep): (() => void)[] {
    if (op === 'const' || op === 'value') return [];
    const operandError = (operand: number): (() => void)[] =>
      this.#factsAbout(operand).fallible ? [() => this.#loadError(X, operand)] : [];
    if (UNARY.has(op)) return operandError(a);
    if (op === 'both' || op === 'either')
      return [...this.#undecidedErrors(op, a, b), ...this.#undecidedErrors(op, b, a)];
    if (op === 'select')
      return [...operandError(a), ...this.#selectedErrors(to, a, true), ...this.#selectedErrors(b, a, false)];
    const byZero = DIVISIONS.has(op) && !this.#factsAbout(b).nonzero ? [() => this.#emitTruth(b, false)] : [];
    return [...byZero, ...operandError(a), ...operandError(b)];
  }

  /**
   * `side` is in error, and `other` does not decide the result: it is also in error, or it is true (for `both`) or
   * false (for `either`).
   */
  #undecidedErrors(op: 'both' | 'either', side: number, other: number): (() => void)[] {
    const otherFallible = this.#factsAbout(other).fallible;
    if (!this.#factsAbout(side).fallible) return [];
    return [
      () => {
        this.#emitTruth(other, op === 'both');
        if (otherFallible) {
          this.#loadError(Y, other);
          this.code.alu('or', X, Y);
        }
        this.#loadError(Y, side);
        this.code.alu('and', X, Y);
      },
    ];
  }

  /** The condition selects `side`, and `side` is in error. */
  #selectedErrors(side: number, condition: number, when: boolean): (() => void)[] {
    if (!this.#factsAbout(side).fallible) return [];
    return [
      () => {
        this.#emitTruth(condition, when);
        this.#loadError(Y, side);
        this.code.alu('and', X, Y);
      },
    ];
  }

  #emitError(to: number, causes: readonly (() => void)[]): void {
    causes.forEach((cause, i) => {
      if (i > 0) this.code.store(FRAME_POINTER, SCRATCH_OFFSET, X);
      cause();
      if (i === 0) return;
      this.code.load(Y, FRAME_POINTER, SCRATCH_OFFSET);
      this.code.alu('or', X, Y);
    });
    if (causes.length > 0) this.code.store(FRAME_POINTER, ERRORS_OFFSET + to, X, 1);
  }

  #loadError(to: number, operand: number): void {
    this.code.load(to, FRAME_POINTER, ERRORS_OFFSET + operand, 1);
  }

  /* ---- results, in X ---- */

  #emitResult(op: Exclude<CelOp, 'filter'>, { to, a, b, imm }: CelStep): void {
    switch (op) {
      case 'const':
        return this.code.loadImmediate(X, imm);
      case 'value':
        this.code.load(X, FRAME_POINTER, VALUES_OFFSET);
        return this.code.load(X, X, slotOffset(imm));
      case 'select':
        return this.#emitSelect(to, a, b);
      case 'not':
        return this.#emitTruth(a, false);
      case 'invert':
        this.#move(X, a);
        return this.code.aluImmediate('xor', X, -1);
      case 'negate':
        this.#move(X, a);
        return this.code.aluImmediate('neg', X, 0);
      case 'signExtend':
        return this.#emitExtension('sar', a, imm);
      case 'zeroExtend':
        return this.#emitExtension('shr', a, imm);
      case 'both':
      case 'either':
        this.#emitTruth(b, true, Y);
        this.#emitTruth(a, true);
        return this.code.alu(op === 'both' ? 'and' : 'or', X, Y);
      case 'add':
      case 'sub':
      case 'mul':
      case 'div':
      case 'mod':
      case 'and':
      case 'or':
      case 'xor':
        return this.#emitBinary(op, X, a, b);
      case 'eq':
      case 'ne':
      case 'lt':
      case 'le':
      case 'ltS':
      case 'leS':
        return this.#emitComparison(op, a, b);
      case 'shl':
      case 'shr':
        this.#emitShiftMask(b);
        this.#emitBinary(op, X, a, b);
        return this.code.alu('and', X, Y);
      case 'sar':
        this.#emitShiftMask(b);
        this.code.aluImmediate('xor', Y, -1);
        this.code.alu('or', Y, bpfRegister(b));
        this.#move(X, a);
        return this.code.alu('sar', X, Y);
      case 'divS':
      case 'modS':
        return this.#emitSignedDivision(op === 'divS' ? 'div' : 'mod', a, b);
      default:
        return op satisfies never;
    }
  }

  #emitComparison(op: 'eq' | 'ne' | 'lt' | 'le' | 'ltS' | 'leS', a: number, b: number): void {
    switch (op) {
      case 'eq':
      case 'ne':
        this.#emitBinary('xor', X, a, b);
        return this.#emitTruthInPlace(X, op === 'ne');
      case 'lt':
      case 'ltS':
        return this.#emitLess(a, b, op === 'ltS');
      case 'le':
      case 'leS':
        this.#emitLess(b, a, op === 'leS');
        return this.code.aluImmediate('xor', X, 1);
    }
  }

  #move(to: number, operand: number): void {
    this.code.alu('mov', to, bpfRegister(operand));
  }

  /** target = a op b. */
  #emitBinary(op: AluOp, target: number, a: number, b: number): void {
    this.#move(target, a);
    this.code.alu(op, target, bpfRegister(b));
  }

  /** target = (operand is not 0); with `wanted` false, target = (operand is 0). */
  #emitTruth(operand: number, wanted: boolean, target = X): void {
    this.#move(target, operand);
    if (!this.#factsAbout(operand).truth) {
      this.code.aluImmediate('neg', target, 0);
      this.code.alu('or', target, bpfRegister(operand));
      this.code.aluImmediate('shr', target, 63);
    }
    if (!wanted) this.code.aluImmediate('xor', target, 1);
  }

  /**
   * The same for the target itself. A number or its negative has the highest bit, unless the number is 0. Uses Y.
   */
  #emitTruthInPlace(target: typeof X, wanted: boolean): void {
    this.code.alu('mov', Y, target);
    this.code.aluImmediate('neg', Y, 0);
    this.code.alu('or', target, Y);
    this.code.aluImmediate('shr', target, 63);
    if (!wanted) this.code.aluImmediate('xor', target, 1);
  }

  /**
   * If the signs of a and b are equal, the sign of a - b decides. Otherwise the sign of a decides, or of b for unsigned
   * numbers.
   */
  #emitLess(a: number, b: number, signed: boolean): void {
    const otherwise = bpfRegister(signed ? a : b);
    this.#emitBinary('xor', X, a, b);
    this.#emitBinary('sub', Y, a, b);
    this.code.alu('xor', Y, otherwise);
    this.code.aluImmediate('xor', X, -1);
    this.code.alu('and', X, Y);
    this.code.alu('xor', X, otherwise);
    this.code.aluImmediate('shr', X, 63);
  }

  /**
   * Y = all ones if the operand is less than 64, else 0. A shift instruction ignores the higher bits of the operand.
   */
  #emitShiftMask(operand: number): void {
    this.#move(Y, operand);
    this.code.aluImmediate('shr', Y, 6);
    this.code.aluImmediate('sub', Y, 1);
    this.code.aluImmediate('sar', Y, 63);
  }

  #emitExtension(shift: 'sar' | 'shr', operand: number, bits: bigint): void {
    if (bits < 1n || bits > 64n) throw new Error(`an extension of ${bits} bits`);
    this.#move(X, operand);
    this.code.aluImmediate('shl', X, 64 - Number(bits));
    this.code.aluImmediate(shift, X, 64 - Number(bits));
  }

  /**
   * Divides the absolute values and then sets the sign: kernels before 6.6 have no signed division. A remainder has the
   * sign of a.
   */
  #emitSignedDivision(op: 'div' | 'mod', a: number, b: number): void {
    this.#emitAbsolute(X, Y, a);
    this.code.store(FRAME_POINTER, SCRATCH_OFFSET, X);
    this.#emitAbsolute(X, Y, b);
    this.code.load(Y, FRAME_POINTER, SCRATCH_OFFSET);
    this.code.alu(op, Y, X);
    this.#move(X, a);
    if (op === 'div') this.code.alu('xor', X, bpfRegister(b));
    this.code.aluImmediate('sar', X, 63);
    this.code.alu('xor', Y, X);
    this.code.alu('sub', Y, X);
    this.code.alu('mov', X, Y);
  }

  #emitAbsolute(target: number, sign: number, operand: number): void {
    this.#move(sign, operand);
    this.code.aluImmediate('sar', sign, 63);
    this.#move(target, operand);
    this.code.alu('xor', target, sign);
    this.code.alu('sub', target, sign);
  }

  /** X = a ? to : b. */
  #emitSelect(to: number, a: number, b: number): void {
    this.#emitTruth(a, true, Y);
    this.code.aluImmediate('neg', Y, 0);
    this.#emitBinary('xor', X, to, b);
    this.code.alu('and', X, Y);
    this.code.alu('xor', X, bpfRegister(b));
  }

  /** candidates &= condition ? all : ~selectors. */
  #emitFilter(condition: number, selectors: bigint): void {
    const { code } = this;
    this.#emitTruth(condition, true);
    if (this.#factsAbout(condition).fallible) {
      this.#loadError(Y, condition);
      code.aluImmediate('xor', Y, 1);
      code.alu('and', X, Y);
    }
    code.aluImmediate('neg', X, 0);
    // The number comes first: newer verifiers check two branches after an `or` with a register that is 0 or all ones.
    code.loadImmediate(Y, ~selectors);
    code.alu('or', Y, X);
    code.load(X, FRAME_POINTER, CANDIDATES_OFFSET);
    code.alu('and', X, Y);
    code.store(FRAME_POINTER, CANDIDATES_OFFSET, X);
  }
}

function bpfRegister(number: number): number {
  const found = CEL_REGISTERS[number];
  if (found === undefined) throw new Error(`there is no register ${number}`);
  return found;
}

function slotOffset(slot: bigint): number {
  if (slot < 0n || slot >= BigInt(AbiLimit.HOOK_VALUES_MAX)) throw new Error(`there is no value ${slot}`);
  return 8 * Number(slot);
}
