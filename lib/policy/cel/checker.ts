/**
 * Checks names and types in CEL expressions. int and uint cannot be mixed without a cast, so that no number is misread.
 */
import type { CelOp } from '../../image/image.js';
import { nearest } from '../parse/nearest.js';
import { CelError } from './error.js';
import type { BinaryOperator, Expression } from './parser.js';
import { choice, constant, operation, truth, type Typed } from './typed.js';

/** The meaning of a name in an expression. */
export type CelName =
  | { readonly slot: number; readonly type: 'int' | 'uint'; readonly late: boolean }
  /** A value that expressions cannot use, with the reason. */
  | { readonly refused: string };

export type CelScope = ReadonlyMap<string, CelName>;

/** Throws CelError. */
export function check(expression: Expression, scope: CelScope): Typed {
  const whole = new Checker(scope).typed(expression);
  if (whole.type !== 'bool') {
    throw mistake(
      expression,
      `the expression is a number (${whole.type}), not true or false`,
      'compare it with a number',
    );
  }
  return whole;
}

function mistake({ start, end }: { start: number; end: number }, message: string, hint: string): CelError {
  return new CelError('CEL_TYPES', message, hint, start, end);
}

/** The signed and the unsigned instruction of each operator. */
const ARITHMETIC: Readonly<Partial<Record<BinaryOperator, readonly [CelOp, CelOp]>>> = {
  '+': ['add', 'add'],
  '-': ['sub', 'sub'],
  '*': ['mul', 'mul'],
  '/': ['divS', 'div'],
  '%': ['modS', 'mod'],
  '&': ['and', 'and'],
  '|': ['or', 'or'],
  '^': ['xor', 'xor'],
};
const COMPARISONS: Readonly<Partial<Record<BinaryOperator, readonly [CelOp, CelOp]>>> = {
  '<': ['ltS', 'lt'],
  '<=': ['leS', 'le'],
};
/** These operators become another one with the sides exchanged. */
const REVERSED: Readonly<Partial<Record<BinaryOperator, BinaryOperator>>> = { '>': '<', '>=': '<=' };
const LOGIC: Readonly<Partial<Record<BinaryOperator, CelOp>>> = { '&&': 'both', '||': 'either' };
const BIT_FUNCTIONS: Readonly<Record<string, BinaryOperator>> = {
  bitand: '&',
  bitor: '|',
  bitxor: '^',
  shl: '<<',
  shr: '>>',
};
/** The type and the bits that each cast keeps. */
const CASTS: Readonly<Record<string, readonly ['int' | 'uint', bigint]>> = {
  int: ['int', 64n], uint: ['uint', 64n], s8: ['int', 8n], s16: ['int', 16n], s32: ['int', 32n], s64: ['int', 64n],
  u8: ['uint', 8n], u16: ['uint', 16n], u32: ['uint', 32n], u64: ['uint', 64n],
}; // prettier-ignore
const FUNCTIONS = [...Object.keys(CASTS), ...Object.keys(BIT_FUNCTIONS), 'bitnot'];

class Checker {
  constructor(private readonly scope: CelScope) {}

  typed(expression: Expression): Typed {
    switch (expression.kind) {
      case 'number':
        return this.#number(expression.value, expression.unsigned);
      case 'boolean':
        return truth(expression.value);
      case 'name':
        return this.#name(expression);
      case 'unary':
        return this.#unary(expression);
      case 'binary':
        return this.#binary(expression.operator, expression.left, expression.right, expression);
      case 'in':
        return this.#in(expression);
      case 'conditional':
        return this.#conditional(expression);
      case 'call':
        return this.#call(expression);
    }
  }

  /** A number that is too large for int is a uint. */
  #number(value: bigint, unsigned: boolean): Typed {
    return unsigned || value >= 2n ** 63n ? constant('uint', value) : constant('int', value, true);
  }

  #name({ name, start, end }: Expression & { kind: 'name' }): Typed {
    const found = this.scope.get(name);
    if (found === undefined) {
      const names = [...this.scope.keys()];
      const close = nearest(name, names);
      const hint = close === undefined ? `known names are ${names.join(', ') || 'none'}` : `did you mean ${close}?`;
      throw new CelError('CEL_NAME_UNKNOWN', `there is no value ${JSON.stringify(name)}`, hint, start, end);
    }
    if ('refused' in found) {
      const hint = 'expressions compare numbers; use an operator for this type';
      throw mistake({ start, end }, `${name} is ${found.refused}`, hint);
    }
    return { kind: 'value', ...found };
  }

  #unary({ operator, operand, ...place }: Expression & { kind: 'unary' }): Typed {
    // The smallest int has no positive value of the same size.
    if (operator === '-' && operand.kind === 'number' && operand.value === 2n ** 63n && !operand.unsigned) {
      return constant('int', operand.value, true);
    }
    const inner = this.typed(operand);
    if (operator === '!') {
      if (inner.type !== 'bool') throw mistake(place, '! needs a boolean', 'use ~ to invert bits');
      return operation('not', 'bool', [inner]);
    }
    this.#wantNumber(inner, operator, operand);
    if (operator === '~') return operation('invert', inner.type, [inner]);
    if (inner.type === 'uint') throw mistake(place, 'a uint has no sign', 'cast it: -int(…)');
    return operation('negate', 'int', [inner]);
  }

  #binary(operator: BinaryOperator, left: Expression, right: Expression, place: Expression): Typed {
    const exchanged = REVERSED[operator];
    if (exchanged !== undefined) return this.#binary(exchanged, right, left, place);
    const sides = [this.typed(left), this.typed(right)] as const;
    const logic = LOGIC[operator];
    if (logic !== undefined) {
      for (const [i, side] of sides.entries()) {
        if (side.type === 'bool') continue;
        throw mistake(
          i === 0 ? left : right,
          `${operator} needs a boolean on both sides`,
          'compare the number, for example != 0',
        );
      }
      return operation(logic, 'bool', sides);
    }
    if (operator === '==' || operator === '!=') {
      return operation(operator === '==' ? 'eq' : 'ne', 'bool', this.#same(sides, operator, place));
    }
    this.#wantNumber(sides[0], operator, left);
    this.#wantNumber(sides[1], operator, right);
    if (operator === '<<') return operation('shl', sides[0].type, sides);
    if (operator === '>>') return operation(sides[0].type === 'int' ? 'sar' : 'shr', sides[0].type, sides);
    const alike = this.#same(sides, operator, place);
    const { type } = alike[0];
    const [op, asUint] = (ARITHMETIC[operator] ?? COMPARISONS[operator]) as readonly [CelOp, CelOp];
    return operation(type === 'uint' ? asUint : op, operator in ARITHMETIC ? type : 'bool', alike);
  }

  #in({ value, list, start, end }: Expression & { kind: 'in' }): Typed {
    const wanted = this.typed(value);
    this.#wantNumber(wanted, 'in', value);
    if (list.length === 0) throw mistake({ start, end }, 'the list is empty, so nothing is in it', 'write the numbers');
    const alike = list.map((each) => this.#same([wanted, this.typed(each)], 'in', each));
    const first = alike.find(([own]) => own.type === 'uint') ?? alike[0];
    return { kind: 'in', type: 'bool', value: first?.[0] ?? wanted, list: alike.map(([, other]) => other) };
  }

  #conditional({ condition, then, otherwise, start, end }: Expression & { kind: 'conditional' }): Typed {
    const decides = this.typed(condition);
    if (decides.type !== 'bool')
      throw mistake(condition, 'the condition before ? must be a boolean', 'compare the number');
    const [yes, no] = this.#same([this.typed(then), this.typed(otherwise)], '?:', { start, end });
    return choice(decides, yes, no);
  }

  #call({ name, args, start, end }: Expression & { kind: 'call' }): Typed {
    const place = { start, end };
    const operator = BIT_FUNCTIONS[name];
    const cast = CASTS[name];
    const wanted = operator === undefined ? 1 : 2;
    if (operator === undefined && cast === undefined && name !== 'bitnot') {
      const close = nearest(name, FUNCTIONS);
      const hint = close === undefined ? `known: ${FUNCTIONS.join(', ')}` : `did you mean ${close}?`;
      throw new CelError(
        'CEL_NAME_UNKNOWN',
        `there is no function ${JSON.stringify(name)}`,
        hint,
        start,
        start + name.length,
      );
    }
    const [first, second] = args;
    if (args.length !== wanted || first === undefined) {
      throw mistake(
        place,
        `${name} takes ${wanted === 1 ? 'one value' : 'two values'}, not ${args.length}`,
        'correct the call',
      );
    }
    if (operator !== undefined) return this.#binary(operator, first, second as Expression, { ...first, ...place });
    if (name === 'bitnot') return this.#unary({ kind: 'unary', operator: '~', operand: first, ...place });
    return this.#cast(first, cast as readonly ['int' | 'uint', bigint]);
  }

  #cast(operand: Expression, [type, bits]: readonly ['int' | 'uint', bigint]): Typed {
    const inner = this.typed(operand);
    if (bits === 64n) return inner.kind === 'const' ? constant(type, inner.value) : { ...inner, type };
    const cast = operation(type === 'int' ? 'signExtend' : 'zeroExtend', type, [inner], bits);
    return cast.kind === 'const' ? constant(type, cast.value) : cast;
  }

  #wantNumber(tree: Typed, operator: string, place: Expression): void {
    if (tree.type !== 'bool') return;
    throw mistake(place, `${operator} needs numbers`, 'use && and || to combine conditions, or cast: int(…)');
  }

  /** Gives both sides the same type. A number that is written without a type takes the type of the other side. */
  #same(
    [left, right]: readonly [Typed, Typed],
    operator: string,
    place: { start: number; end: number },
  ): [Typed, Typed] {
    if (left.type === right.type) return [left, right];
    if (isFree(left, right)) return [constant(right.type, left.value), right];
    if (isFree(right, left)) return [left, constant(left.type, right.value)];
    const types = [left, right].map(({ type }) => (type === 'bool' ? 'true or false' : type));
    const isNegative = [left, right].some((side) => side.kind === 'const' && side.literal);
    const hint = [left, right].some(({ type }) => type === 'bool')
      ? 'compare the number first'
      : isNegative
        ? 'a uint is never negative: cast it, for example int(arg0)'
        : 'cast one of them: int(…) or uint(…)';
    throw mistake(place, `${operator} between ${types.join(' and ')}`, hint);
  }
}

function isFree(tree: Typed, other: Typed): tree is Typed & { kind: 'const' } {
  return tree.kind === 'const' && tree.literal && other.type === 'uint' && tree.value < 2n ** 63n;
}
