/**
 * Checks names and types in CEL expressions. Both operands have the same type, or one of them is a plain number, so that
 * no number is misread.
 */
import type { CelOp } from '../../compiled/compiled-policy.js';
import { nearest } from '../parse/nearest.js';
import { CelError } from './error.js';
import type { BinaryOperator, Expression } from './parser.js';
import {
  arithmetic,
  choice,
  constant,
  limitsOf,
  narrowed,
  NUMBER_TYPES,
  operation,
  truth,
  type CelType,
  type NumberType,
  type Typed,
} from './typed.js';

/** The meaning of a name in an expression. */
export type CelName =
  | { readonly slot: number; readonly type: NumberType; readonly late: boolean }
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

function mistake({ start, end }: Place, message: string, hint: string): CelError {
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
/** Functions of two operands, with the operators that they stand for. */
const BIT_FUNCTIONS: Readonly<Record<string, BinaryOperator>> = {
  and: '&',
  or: '|',
  xor: '^',
  bitand: '&',
  bitor: '|',
  bitxor: '^',
  shl: '<<',
  shr: '>>',
};
const INVERSIONS: ReadonlySet<string> = new Set(['not', 'bitnot']);
/** The type that each cast gives. */
const CASTS: Readonly<Record<string, NumberType>> = {
  int: 'int', int64: 'int', int32: 'int32', int16: 'int16', int8: 'int8',
  uint: 'uint', uint64: 'uint', uint32: 'uint32', uint16: 'uint16', uint8: 'uint8',
  s64: 'int', s32: 'int32', s16: 'int16', s8: 'int8', u64: 'uint', u32: 'uint32', u16: 'uint16', u8: 'uint8',
}; // prettier-ignore
const FUNCTIONS = [...Object.keys(CASTS), ...Object.keys(BIT_FUNCTIONS), ...INVERSIONS];

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
    return constant(unsigned || value >= 2n ** 63n ? 'uint' : 'int', value, true);
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
    const type = this.#numberType(inner, operator, operand);
    if (operator === '~') return arithmetic('invert', type, [inner]);
    if (!NUMBER_TYPES[type].signed) throw mistake(place, `a ${type} has no sign`, 'cast it: -int(…)');
    return arithmetic('negate', type, [inner]);
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
      return operation(
        operator === '==' ? 'eq' : 'ne',
        'bool',
        this.#alike(sides, operator, () => place),
      );
    }
    const own = this.#numberType(sides[0], operator, left);
    this.#numberType(sides[1], operator, right);
    if (operator === '<<') return arithmetic('shl', own, sides);
    if (operator === '>>') return arithmetic(NUMBER_TYPES[own].signed ? 'sar' : 'shr', own, sides);
    const alike = this.#alike(sides, operator, () => place);
    const type = this.#numberType(alike[0] as Typed, operator, left);
    const [signed, unsigned] = (ARITHMETIC[operator] ?? COMPARISONS[operator]) as readonly [CelOp, CelOp];
    const op = NUMBER_TYPES[type].signed ? signed : unsigned;
    return operator in ARITHMETIC ? arithmetic(op, type, alike) : operation(op, 'bool', alike);
  }

  #in({ value, list, start, end }: Expression & { kind: 'in' }): Typed {
    const wanted = this.typed(value);
    this.#numberType(wanted, 'in', value);
    if (list.length === 0) throw mistake({ start, end }, 'the list is empty, so nothing is in it', 'write the numbers');
    const all = [wanted, ...list.map((each) => this.typed(each))];
    const [first, ...others] = this.#alike(all, 'in', (i) => (i === 0 ? value : (list[i - 1] ?? value)));
    return { kind: 'in', type: 'bool', value: first ?? wanted, list: others };
  }

  #conditional({ condition, then, otherwise, start, end }: Expression & { kind: 'conditional' }): Typed {
    const decides = this.typed(condition);
    if (decides.type !== 'bool')
      throw mistake(condition, 'the condition before ? must be a boolean', 'compare the number');
    const both = [this.typed(then), this.typed(otherwise)] as const;
    const [yes, no] = this.#alike(both, '?:', () => ({ start, end }));
    return choice(decides, yes ?? both[0], no ?? both[1]);
  }

  #call({ name, args, start, end }: Expression & { kind: 'call' }): Typed {
    const place = { start, end };
    // every object has members such as `constructor`
    const isKnown = FUNCTIONS.includes(name);
    const operator = isKnown ? BIT_FUNCTIONS[name] : undefined;
    const cast = isKnown ? CASTS[name] : undefined;
    const wanted = operator === undefined ? 1 : 2;
    if (operator === undefined && cast === undefined && !INVERSIONS.has(name)) {
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
    if (cast === undefined) return this.#unary({ kind: 'unary', operator: '~', operand: first, ...place });
    const inner = narrowed(this.typed(first), cast);
    return inner.kind === 'const' ? { ...inner, literal: false } : inner;
  }

  #numberType(tree: Typed, operator: string, place: Place): NumberType {
    if (tree.type !== 'bool') return tree.type;
    throw mistake(place, `${operator} needs numbers`, 'use && and || to combine conditions, or cast: int(…)');
  }

  /** Gives all operands the same type. A number that is written without a cast takes the type of the others. */
  #alike(operands: readonly Typed[], operator: string, placeOf: (i: number) => Place): Typed[] {
    const cast = operands.find((each) => !isLiteral(each)) ?? operands.find(({ type }) => type === 'uint');
    const type = cast?.type ?? 'int';
    return operands.map((each, i) => {
      if (each.type === type) return each;
      if (type === 'bool' || each.type === 'bool' || !isLiteral(each))
        throw mixed(type, each.type, operator, placeOf(i));
      const value = NUMBER_TYPES[each.type].signed ? BigInt.asIntN(64, each.value) : each.value;
      const [smallest, largest] = limitsOf(type);
      if (NUMBER_TYPES[each.type].signed || !NUMBER_TYPES[type].signed) {
        if (value >= smallest && value <= largest) return constant(type, value);
        throw mistake(placeOf(i), `${value} is not a value of ${type}`, outOfRange(type));
      }
      throw mixed(type, each.type, operator, placeOf(i));
    });
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
}

function isLiteral(tree: Typed): tree is Typed & { kind: 'const' } {
  return tree.kind === 'const' && tree.literal;
}

function mixed(one: CelType, other: CelType, operator: string, place: Place): CelError {
  const words = [one, other].map((type) => (type === 'bool' ? 'true or false' : type));
  const hint =
    one === 'bool' || other === 'bool'
      ? 'compare the number first'
      : `cast one of them, for example ${NUMBER_TYPES[one].bits < NUMBER_TYPES[other].bits ? other : one}(…)`;
  return mistake(place, `${operator} between ${words.join(' and ')}`, hint);
}

function outOfRange(type: NumberType): string {
  return NUMBER_TYPES[type].signed
    ? 'cast the other operand to more bits: int(…)'
    : 'a uint is never negative: cast the other operand, for example int(arg0)';
}
