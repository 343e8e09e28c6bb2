/**
 * Compiles expressions to BPF instructions: the body of `u64 f(const u64 *values, u64 candidates)`, which replaces the
 * body of cel_entry or cel_return (bpf/filters.bpf.h). It contains no jumps. The verifier therefore checks it once, not
 * once for each combination of results. Pure.
 */
import type { CelOp, CelStep } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { BpfCode, FRAME, type AluOp } from './bpf.js';
import { AbiLimit } from '../layout.gen.js';
import { selectorMask } from './tables.js';

/** Registers of BPF: the registers of the steps, and two that every step can use. */
const REGISTERS = [0, 3, 4, 5, 6, 7, 8, 9] as const;
const RESULT = 0;
const X = 1;
const Y = 2;
/**
 * Offsets in the frame: the parameters; a byte for each register of the steps, which is 1 if the register is in error;
 * a spare place.
 */
const VALUES = -8;
const CANDIDATES = -16;
const ERRORS = -24;
const SPARE = -32;

/** Facts about a register that are known when the code is generated. */
interface Known {
  /** True if it can be in error; its byte says whether it is. */
  readonly fallible: boolean;
  /** True if it is 0 or 1. */
  readonly truth: boolean;
  /** True if it is a number other than 0. */
  readonly nonzero: boolean;
}

/** Returns exactly `room` instructions. Throws KernelError LIMIT_CEL with the name `hook`. */
export function celCode(steps: readonly CelStep[], room: number, hook: string): Uint8Array {
  const writer = new CelWriter();
  for (const step of steps) writer.step(step);
  const { code } = writer;
  code.load(RESULT, FRAME, CANDIDATES);
  if (code.length + 1 > room) {
    throw new KernelError(
      'LIMIT_CEL',
      `${hook}: its expressions need ${code.length + 1} instructions; at most ${room} are allowed`,
      'split the hook into two, each with a part of the expressions',
    );
  }
  while (code.length + 1 < room) code.nothing();
  code.exit();
  return code.bytes;
}

const TRUTHS: ReadonlySet<CelOp> = new Set(['eq', 'ne', 'lt', 'le', 'ltS', 'leS', 'both', 'either', 'not']);
const DIVISIONS: ReadonlySet<CelOp> = new Set(['div', 'mod', 'divS', 'modS']);
const UNARY: ReadonlySet<CelOp> = new Set(['not', 'invert', 'negate', 'signExtend', 'zeroExtend']);

class CelWriter {
  readonly code = new BpfCode();
  readonly #known = new Map<number, Known>();

  constructor() {
    this.code.store(FRAME, VALUES, 1);
    this.code.store(FRAME, CANDIDATES, 2);
  }

  step(step: CelStep): void {
    if (step.op === 'filter') {
      this.#filter(step.a, selectorMask(step.selectors ?? []));
      return;
    }
    const causes = this.#causes(step);
    // both parts read the operands, so the target is written last
    this.#error(step.to, causes);
    this.#result(step);
    this.code.alu('mov', register(step.to), X);
    this.#known.set(step.to, {
      fallible: causes.length > 0,
      truth: this.#isTruth(step),
      nonzero: step.op === 'const' && BigInt.asUintN(64, step.imm) !== 0n,
    });
  }

  #of(number: number): Known {
    const known = this.#known.get(number);
    if (known === undefined) throw new Error(`a step reads register ${number}, which has no value`);
    return known;
  }

  #isTruth({ op, to, b, imm }: CelStep): boolean {
    if (op === 'const') return imm === 0n || imm === 1n;
    if (op === 'select') return this.#of(to).truth && this.#of(b).truth;
    return TRUTHS.has(op);
  }

  /* ---- errors ---- */

  /** Conditions under which the step is in error. Each leaves 1 or 0 in X. */
  #causes({ op, to, a, b }: CelStep): (() => void)[] {
    if (op === 'const' || op === 'value') return [];
    const inError = (operand: number): (() => void)[] =>
      this.#of(operand).fallible ? [() => this.#loadError(X, operand)] : [];
    if (UNARY.has(op)) return inError(a);
    if (op === 'both' || op === 'either') return [...this.#undecided(op, a, b), ...this.#undecided(op, b, a)];
    if (op === 'select') return [...inError(a), ...this.#chosen(to, a, true), ...this.#chosen(b, a, false)];
    const byZero = DIVISIONS.has(op) && !this.#of(b).nonzero ? [() => this.#isTrue(b, false)] : [];
    return [...byZero, ...inError(a), ...inError(b)];
  }

  /**
   * One side is in error and the other does not decide: it is also in error, or it is true (for `both`) or false (for
   * `either`).
   */
  #undecided(op: 'both' | 'either', side: number, other: number): (() => void)[] {
    const otherFallible = this.#of(other).fallible;
    if (!this.#of(side).fallible) return [];
    return [
      () => {
        this.#isTrue(other, op === 'both');
        if (otherFallible) {
          this.#loadError(Y, other);
          this.code.alu('or', X, Y);
        }
        this.#loadError(Y, side);
        this.code.alu('and', X, Y);
      },
    ];
  }

  /** The operand that the condition chooses is in error. */
  #chosen(side: number, condition: number, when: boolean): (() => void)[] {
    if (!this.#of(side).fallible) return [];
    return [
      () => {
        this.#isTrue(condition, when);
        this.#loadError(Y, side);
        this.code.alu('and', X, Y);
      },
    ];
  }

  #error(to: number, causes: readonly (() => void)[]): void {
    causes.forEach((cause, i) => {
      if (i > 0) this.code.store(FRAME, SPARE, X);
      cause();
      if (i === 0) return;
      this.code.load(Y, FRAME, SPARE);
      this.code.alu('or', X, Y);
    });
    if (causes.length > 0) this.code.store(FRAME, ERRORS + to, X, 1);
  }

  #loadError(to: number, operand: number): void {
    this.code.load(to, FRAME, ERRORS + operand, 1);
  }

  /* ---- results, in X ---- */

  #result({ op, to, a, b, imm }: CelStep): void {
    switch (op) {
      case 'const':
        return this.code.number(X, imm);
      case 'value':
        this.code.load(X, FRAME, VALUES);
        return this.code.load(X, X, slotOffset(imm));
      case 'select':
        return this.#select(to, a, b);
      case 'not':
        return this.#isTrue(a, false);
      case 'invert':
        this.#get(X, a);
        return this.code.aluNumber('xor', X, -1);
      case 'negate':
        this.#get(X, a);
        return this.code.aluNumber('neg', X, 0);
      case 'signExtend':
        return this.#extend('sar', a, imm);
      case 'zeroExtend':
        return this.#extend('shr', a, imm);
      case 'both':
      case 'either':
        this.#isTrue(b, true, Y);
        this.#isTrue(a, true);
        return this.code.alu(op === 'both' ? 'and' : 'or', X, Y);
      default:
        return this.#binary(op, a, b);
    }
  }

  #binary(op: CelOp, a: number, b: number): void {
    switch (op) {
      case 'eq':
      case 'ne':
        this.#compute('xor', X, a, b);
        return this.#normalize(X, op === 'ne');
      case 'lt':
      case 'ltS':
        return this.#less(a, b, op === 'ltS');
      case 'le':
      case 'leS':
        this.#less(b, a, op === 'leS');
        return this.code.aluNumber('xor', X, 1);
      case 'shl':
      case 'shr':
        this.#within64(b);
        this.#compute(op, X, a, b);
        return this.code.alu('and', X, Y);
      case 'sar':
        this.#within64(b);
        this.code.aluNumber('xor', Y, -1);
        this.code.alu('or', Y, register(b));
        this.#get(X, a);
        return this.code.alu('sar', X, Y);
      case 'divS':
      case 'modS':
        return this.#divideSigned(op === 'divS' ? 'div' : 'mod', a, b);
      default:
        return this.#compute(op as AluOp, X, a, b);
    }
  }

  #get(to: number, operand: number): void {
    this.code.alu('mov', to, register(operand));
  }

  /** target = a op b. */
  #compute(op: AluOp, target: number, a: number, b: number): void {
    this.#get(target, a);
    this.code.alu(op, target, register(b));
  }

  /** target = (operand is not 0); with `wanted` false, target = (operand is 0). */
  #isTrue(operand: number, wanted: boolean, target = X): void {
    this.#get(target, operand);
    if (!this.#of(operand).truth) {
      this.code.aluNumber('neg', target, 0);
      this.code.alu('or', target, register(operand));
      this.code.aluNumber('shr', target, 63);
    }
    if (!wanted) this.code.aluNumber('xor', target, 1);
  }

  /**
   * Does the same for the target itself. A number or its negative has the highest bit, unless the number is 0. Uses Y.
   */
  #normalize(target: typeof X, wanted: boolean): void {
    this.code.alu('mov', Y, target);
    this.code.aluNumber('neg', Y, 0);
    this.code.alu('or', target, Y);
    this.code.aluNumber('shr', target, 63);
    if (!wanted) this.code.aluNumber('xor', target, 1);
  }

  /**
   * If the signs of a and b are equal, the sign of a - b decides. Otherwise the sign of a decides, or of b for unsigned
   * numbers.
   */
  #less(a: number, b: number, signed: boolean): void {
    const otherwise = register(signed ? a : b);
    this.#compute('xor', X, a, b);
    this.#compute('sub', Y, a, b);
    this.code.alu('xor', Y, otherwise);
    this.code.aluNumber('xor', X, -1);
    this.code.alu('and', X, Y);
    this.code.alu('xor', X, otherwise);
    this.code.aluNumber('shr', X, 63);
  }

  /**
   * Y = all ones if the operand is less than 64, else 0. A shift instruction ignores the higher bits of the operand.
   */
  #within64(operand: number): void {
    this.#get(Y, operand);
    this.code.aluNumber('shr', Y, 6);
    this.code.aluNumber('sub', Y, 1);
    this.code.aluNumber('sar', Y, 63);
  }

  #extend(shift: 'sar' | 'shr', operand: number, bits: bigint): void {
    if (bits < 1n || bits > 64n) throw new Error(`an extension of ${bits} bits`);
    this.#get(X, operand);
    this.code.aluNumber('shl', X, 64 - Number(bits));
    this.code.aluNumber(shift, X, 64 - Number(bits));
  }

  /**
   * Divides the absolute values and then sets the sign: kernels before 6.6 have no signed division. A remainder has the
   * sign of a.
   */
  #divideSigned(op: 'div' | 'mod', a: number, b: number): void {
    this.#absolute(X, Y, a);
    this.code.store(FRAME, SPARE, X);
    this.#absolute(X, Y, b);
    this.code.load(Y, FRAME, SPARE);
    this.code.alu(op, Y, X);
    this.#get(X, a);
    if (op === 'div') this.code.alu('xor', X, register(b));
    this.code.aluNumber('sar', X, 63);
    this.code.alu('xor', Y, X);
    this.code.alu('sub', Y, X);
    this.code.alu('mov', X, Y);
  }

  #absolute(target: number, sign: number, operand: number): void {
    this.#get(sign, operand);
    this.code.aluNumber('sar', sign, 63);
    this.#get(target, operand);
    this.code.alu('xor', target, sign);
    this.code.alu('sub', target, sign);
  }

  /** X = a ? to : b. */
  #select(to: number, a: number, b: number): void {
    this.#isTrue(a, true, Y);
    this.code.aluNumber('neg', Y, 0);
    this.#compute('xor', X, to, b);
    this.code.alu('and', X, Y);
    this.code.alu('xor', X, register(b));
  }

  /** candidates &= condition ? all : ~selectors. */
  #filter(condition: number, selectors: bigint): void {
    const { code } = this;
    this.#isTrue(condition, true);
    if (this.#of(condition).fallible) {
      this.#loadError(Y, condition);
      code.aluNumber('xor', Y, 1);
      code.alu('and', X, Y);
    }
    code.aluNumber('neg', X, 0);
    // the number comes first: newer verifiers check two branches after an `or` with a register that is 0 or all ones
    code.number(Y, ~selectors);
    code.alu('or', Y, X);
    code.load(X, FRAME, CANDIDATES);
    code.alu('and', X, Y);
    code.store(FRAME, CANDIDATES, X);
  }
}

function register(number: number): number {
  const found = REGISTERS[number];
  if (found === undefined) throw new Error(`there is no register ${number}`);
  return found;
}

function slotOffset(slot: bigint): number {
  if (slot < 0n || slot >= BigInt(AbiLimit.HOOK_VALUES_MAX)) throw new Error(`there is no value ${slot}`);
  return 8 * Number(slot);
}
