/**
 * CEL expressions as BPF instructions, which take the place of the bodies of cel_entry and cel_return (bpf/filters.bpf.h).
 * There are no jumps in them: the verifier goes through them once, however many comparisons there are. Pure.
 */
import type { CelStep } from '../policy/image.js';
import { KernelError } from '../errors.js';
import { BpfCode, FRAME, type AluName } from './bpf-code.js';
import { AbiLimit } from './layout.gen.js';
import { selectorMask } from './tables.js';

/** What the function is given and returns, as registers of BPF; the others are free. */
const RESULT = 0;
const NUMBERS = 1;
const CANDIDATES = 2;
const [A, B, C, D] = [3, 4, 5, 0];

const WORD = 8;
/** Of steps. */
const CEL_REGISTERS = 8;

/** What a body has room for: all of it but the last instruction, which returns. */
const ROOM = AbiLimit.CEL_ROOM - 1;

/** Always as many instructions as there is room for. Throws KernelError LIMIT_CEL. */
export function celCode(steps: readonly CelStep[], call: string): Uint8Array {
  const writer = new CelWriter();
  for (const step of steps) writer.step(step);
  const { code } = writer;
  if (code.length >= ROOM) {
    throw new KernelError(
      'LIMIT_CEL',
      `${call}: its CEL expressions make ${code.length + 1} instructions, ${ROOM} is the most`,
      'make two hooks of it, with a part of the expressions each',
    );
  }
  while (code.length < ROOM - 1) code.nothing();
  code.alu('mov', RESULT, CANDIDATES);
  return code.bytes();
}

/** Steps whose result is an operation of BPF on both operands. */
const PLAIN: Readonly<Partial<Record<CelStep['op'], AluName>>> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  and: 'and',
  or: 'or',
  xor: 'xor',
};

/** Registers of steps are words on the stack; whether their value is an error is another word, where it can be one. */
class CelWriter {
  readonly code = new BpfCode();
  readonly #mayFail = new Set<number>();

  step(step: CelStep): void {
    const { op, to, a, b, imm } = step;
    switch (op) {
      case 'const':
        this.code.constant(A, imm, B);
        return this.#finish(to, []);
      case 'value':
        this.code.load(A, NUMBERS, Number(imm) * WORD);
        return this.#finish(to, []);
      case 'filter':
        return this.#filter(a, selectorMask(step.selectors ?? []));
      case 'select':
        return this.#select(to, a, b);
      case 'both':
      case 'either':
        return this.#logic(op, to, a, b);
      case 'not':
      case 'invert':
      case 'negate':
      case 'signExtend':
      case 'zeroExtend':
        this.#get(A, a);
        this.#unary(op, 64 - Number(imm));
        return this.#finish(to, [a]);
      case 'div':
      case 'mod':
      case 'divS':
      case 'modS':
        return this.#division(op, to, a, b);
      default:
        this.#get(A, a);
        this.#get(B, b);
        this.#binary(op);
        return this.#finish(to, [a, b]);
    }
  }

  /** The result, which is in A; an error when one of the operands is. */
  #finish(to: number, operands: readonly number[]): void {
    const failing = operands.filter((operand) => this.#mayFail.has(operand));
    const [first, second] = failing;
    if (first !== undefined) {
      this.#getError(C, first);
      if (second !== undefined) {
        this.#getError(D, second);
        this.code.alu('or', C, D);
      }
    }
    this.#put(to, first !== undefined);
  }

  /** The result from A, and, when it may be one, the error from C. */
  #put(to: number, mayFail: boolean): void {
    this.code.store(FRAME, valueAt(to), A);
    if (mayFail) {
      this.code.store(FRAME, errorAt(to), C);
      this.#mayFail.add(to);
    } else {
      this.#mayFail.delete(to);
    }
  }

  #get(register: number, from: number): void {
    this.code.load(register, FRAME, valueAt(from));
  }

  #getError(register: number, from: number): void {
    if (this.#mayFail.has(from)) this.code.load(register, FRAME, errorAt(from));
    else this.code.aluNumber('mov', register, 0);
  }

  #unary(op: 'not' | 'invert' | 'negate' | 'signExtend' | 'zeroExtend', spareBits: number): void {
    const { code } = this;
    switch (op) {
      case 'not':
        return code.aluNumber('xor', A, 1);
      case 'invert':
        return code.aluNumber('xor', A, -1);
      case 'negate':
        return code.negate(A);
      default:
        code.aluNumber('shl', A, spareBits);
        return code.aluNumber(op === 'signExtend' ? 'sar' : 'shr', A, spareBits);
    }
  }

  /** A = A op B. */
  #binary(op: CelStep['op']): void {
    const { code } = this;
    const plain = PLAIN[op];
    if (plain !== undefined) return code.alu(plain, A, B);
    switch (op) {
      case 'eq':
      case 'ne':
        code.alu('xor', A, B);
        this.#isNotZero(A, C);
        return op === 'eq' ? code.aluNumber('xor', A, 1) : undefined;
      case 'lt':
      case 'ltS':
        return this.#less(A, B, op === 'ltS');
      case 'le':
      case 'leS':
        this.#less(B, A, op === 'leS');
        code.alu('mov', A, B);
        return code.aluNumber('xor', A, 1);
      default:
        return this.#shift(op);
    }
  }

  /** register = register is not 0. */
  #isNotZero(register: number, spare: number): void {
    this.code.alu('mov', spare, register);
    this.code.negate(spare);
    this.code.alu('or', register, spare);
    this.code.aluNumber('shr', register, 63);
  }

  /** a = a < b: the borrow of a - b. */
  #less(a: number, b: number, signed: boolean): void {
    const { code } = this;
    if (signed) {
      code.aluNumber('mov', C, 1);
      code.aluNumber('shl', C, 63);
      code.alu('xor', a, C);
      code.alu('xor', b, C);
    }
    code.alu('mov', C, a);
    code.alu('sub', C, b);
    code.aluNumber('xor', a, -1);
    code.alu('mov', D, a);
    code.alu('and', D, b);
    code.alu('or', a, b);
    code.alu('and', a, C);
    code.alu('or', a, D);
    code.aluNumber('shr', a, 63);
  }

  /** BPF takes six bits of B only. */
  #shift(op: CelStep['op']): void {
    const { code } = this;
    code.alu('mov', C, B);
    code.aluNumber('shr', C, 6);
    this.#isNotZero(C, D);
    if (op === 'sar') {
      code.negate(C);
      code.alu('or', B, C);
      code.aluNumber('and', B, 63);
      return code.alu('sar', A, B);
    }
    code.aluNumber('and', B, 63);
    code.alu(op === 'shl' ? 'shl' : 'shr', A, B);
    code.aluNumber('sub', C, 1);
    code.alu('and', A, C);
  }

  #division(op: 'div' | 'mod' | 'divS' | 'modS', to: number, a: number, b: number): void {
    const { code } = this;
    const plain = op === 'div' || op === 'divS' ? 'div' : 'mod';
    this.#get(A, a);
    this.#get(B, b);
    if (op === 'div' || op === 'mod') code.alu(plain, A, B);
    else this.#signedDivision(plain);
    this.#get(C, b);
    this.#isNotZero(C, D);
    code.aluNumber('xor', C, 1);
    for (const operand of [a, b]) {
      if (!this.#mayFail.has(operand)) continue;
      this.#getError(D, operand);
      code.alu('or', C, D);
    }
    this.#put(to, true);
  }

  /** BPF has none before kernel 6.6: of the absolute values, then the sign. A remainder has the dividend's. */
  #signedDivision(op: 'div' | 'mod'): void {
    const { code } = this;
    const [signA, signB] = [C, D];
    for (const [value, sign] of [
      [A, signA],
      [B, signB],
    ] as const) {
      code.alu('mov', sign, value);
      code.aluNumber('sar', sign, 63);
      code.alu('xor', value, sign);
      code.alu('sub', value, sign);
    }
    code.alu(op, A, B);
    if (op === 'div') code.alu('xor', signA, signB);
    code.alu('xor', A, signA);
    code.alu('sub', A, signA);
  }

  /** && and ||: an error counts only where the other side does not decide. */
  #logic(op: 'both' | 'either', to: number, a: number, b: number): void {
    const { code } = this;
    const mayFail = this.#mayFail.has(a) || this.#mayFail.has(b);
    if (mayFail) {
      // C: one of them decides
      this.#decides(C, op, a);
      this.#decides(B, op, b);
      code.alu('or', C, B);
      // an error otherwise
      code.aluNumber('xor', C, 1);
      this.#getError(A, a);
      this.#getError(B, b);
      code.alu('or', A, B);
      code.alu('and', C, A);
    }
    this.#get(A, a);
    this.#get(B, b);
    code.alu(op === 'both' ? 'and' : 'or', A, B);
    this.#put(to, mayFail);
  }

  /** register = the operand is no error, and false for `both`, true for `either`. */
  #decides(register: number, op: 'both' | 'either', operand: number): void {
    const { code } = this;
    this.#get(register, operand);
    if (op === 'both') code.aluNumber('xor', register, 1);
    this.#getError(D, operand);
    code.aluNumber('xor', D, 1);
    code.alu('and', register, D);
  }

  /** to = a ? to : b. */
  #select(to: number, a: number, b: number): void {
    const mayFail = [to, a, b].some((operand) => this.#mayFail.has(operand));
    if (mayFail) {
      this.#choose(
        C,
        a,
        () => this.#getError(C, to),
        () => this.#getError(B, b),
      );
      this.#getError(D, a);
      this.code.alu('or', C, D);
    }
    this.#choose(
      A,
      a,
      () => this.#get(A, to),
      () => this.#get(B, b),
    );
    this.#put(to, mayFail);
  }

  /** register = condition ? what `yes` puts there : what `no` puts into B. */
  #choose(register: number, condition: number, yes: () => void, no: () => void): void {
    const { code } = this;
    yes();
    no();
    code.alu('xor', register, B);
    this.#get(D, condition);
    code.negate(D);
    code.alu('and', register, D);
    code.alu('xor', register, B);
  }

  /** The selectors stay candidates when the condition is true, and no error. */
  #filter(condition: number, selectors: bigint): void {
    const { code } = this;
    this.#get(A, condition);
    if (this.#mayFail.has(condition)) {
      this.#getError(C, condition);
      code.aluNumber('xor', C, 1);
      code.alu('and', A, C);
    }
    code.aluNumber('sub', A, 1);
    code.constant(B, selectors, C);
    code.alu('and', A, B);
    code.aluNumber('xor', A, -1);
    code.alu('and', CANDIDATES, A);
  }
}

function valueAt(register: number): number {
  return -WORD * (register + 1);
}

function errorAt(register: number): number {
  return -WORD * (CEL_REGISTERS + register + 1);
}
