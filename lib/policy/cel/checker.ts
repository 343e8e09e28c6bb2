/**
 * Checks names and types in CEL expressions. The operands of an operator must have the same type, or one of them must be
 * a literal, because implicit conversions could change the value.
 */
import type { CelOp } from '../../compiled/compiled-policy.js';
import { findNearestName } from '../parse/nearest-name.js';
import { CelError } from './error.js';
import type { BinaryOperator, Expression, SourceRange } from './parser.js';
import {
  makeWrappingOperation,
  makeConditional,
  makeConstant,
  typeRange,
  wrapExpression,
  NUMBER_TYPES,
  makeOperation,
  makeBoolean,
  type CelType,
  type NumberType,
  type TypedExpression,
} from './typed-expression.js';

/** The meaning of a name in an expression. */
export type CelName =
  | { readonly slot: number; readonly type: NumberType; readonly atReturn: boolean }
  /** A value that expressions cannot use, with the reason. */
  | { readonly refused: string };

export type CelScope = ReadonlyMap<string, CelName>;

/** Throws CelError. */
export function checkExpression(expression: Expression, scope: CelScope): TypedExpression {
  const whole = new Checker(scope).check(expression);
  if (whole.type !== 'bool') {
    throw typeError(
      expression,
      `the expression is a number (${whole.type}), not true or false`,
      'compare it with a number',
    );
  }
  return whole;
}

function typeError({ start, end }: SourceRange, message: string, hint: string): CelError {
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
/** These operators are compiled as another one with exchanged operands. */
const REVERSED: Readonly<Partial<Record<BinaryOperator, BinaryOperator>>> = { '>': '<', '>=': '<=' };
const LOGIC: Readonly<Partial<Record<BinaryOperator, CelOp>>> = { '&&': 'both', '||': 'either' };
/** Functions of two operands, with their operators. */
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
const FUNCTION_NAMES = [...Object.keys(CASTS), ...Object.keys(BIT_FUNCTIONS), ...INVERSIONS];

class Checker {
  constructor(private readonly scope: CelScope) {}

  check(expression: Expression): TypedExpression {
    switch (expression.kind) {
      case 'number':
        return this.#checkNumber(expression.value, expression.unsigned);
      case 'boolean':
        return makeBoolean(expression.value);
      case 'name':
        return this.#checkName(expression);
      case 'unary':
        return this.#checkUnary(expression);
      case 'binary':
        return this.#checkBinary(expression.operator, expression.left, expression.right, expression);
      case 'in':
        return this.#checkMembership(expression);
      case 'conditional':
        return this.#checkConditional(expression);
      case 'call':
        return this.#checkCall(expression);
    }
  }

  /** A literal that is too large for int is a uint. */
  #checkNumber(value: bigint, unsigned: boolean): TypedExpression {
    return makeConstant(unsigned || value >= 2n ** 63n ? 'uint' : 'int', value, true);
  }

  #checkName({ name, start, end }: Expression & { kind: 'name' }): TypedExpression {
    const found = this.scope.get(name);
    if (found === undefined) {
      const names = [...this.scope.keys()];
      const close = findNearestName(name, names);
      const hint = close === undefined ? `known names are ${names.join(', ') || 'none'}` : `did you mean ${close}?`;
      throw new CelError('CEL_NAME_UNKNOWN', `there is no value ${JSON.stringify(name)}`, hint, start, end);
    }
    if ('refused' in found) {
      const hint = 'expressions compare numbers; use an operator for this type';
      throw typeError({ start, end }, `${name} is ${found.refused}`, hint);
    }
    return { kind: 'value', ...found };
  }

  #checkUnary({ operator, operand, ...range }: Expression & { kind: 'unary' }): TypedExpression {
    // The literal of the smallest int is larger than the largest int.
    if (operator === '-' && operand.kind === 'number' && operand.value === 2n ** 63n && !operand.unsigned) {
      return makeConstant('int', operand.value, true);
    }
    const inner = this.check(operand);
    if (operator === '!') {
      if (inner.type !== 'bool') throw typeError(range, '! needs a boolean', 'use ~ to invert bits');
      return makeOperation('not', 'bool', [inner]);
    }
    const type = this.#numberType(inner, operator, operand);
    if (operator === '~') return makeWrappingOperation('invert', type, [inner]);
    if (!NUMBER_TYPES[type].signed) throw typeError(range, `a ${type} has no sign`, 'cast it: -int(…)');
    return makeWrappingOperation('negate', type, [inner]);
  }

  #checkBinary(operator: BinaryOperator, left: Expression, right: Expression, range: Expression): TypedExpression {
    const exchanged = REVERSED[operator];
    if (exchanged !== undefined) return this.#checkBinary(exchanged, right, left, range);
    const sides = [this.check(left), this.check(right)] as const;
    const logic = LOGIC[operator];
    if (logic !== undefined) {
      for (const [i, side] of sides.entries()) {
        if (side.type === 'bool') continue;
        throw typeError(
          i === 0 ? left : right,
          `${operator} needs a boolean on both sides`,
          'compare the number, for example != 0',
        );
      }
      return makeOperation(logic, 'bool', sides);
    }
    if (operator === '==' || operator === '!=') {
      return makeOperation(
        operator === '==' ? 'eq' : 'ne',
        'bool',
        this.#unifyTypes(sides, operator, () => range),
      );
    }
    const own = this.#numberType(sides[0], operator, left);
    this.#numberType(sides[1], operator, right);
    if (operator === '<<') return makeWrappingOperation('shl', own, sides);
    if (operator === '>>') return makeWrappingOperation(NUMBER_TYPES[own].signed ? 'sar' : 'shr', own, sides);
    const unified = this.#unifyTypes(sides, operator, () => range);
    const type = this.#numberType(unified[0] as TypedExpression, operator, left);
    const [signed, unsigned] = (ARITHMETIC[operator] ?? COMPARISONS[operator]) as readonly [CelOp, CelOp];
    const op = NUMBER_TYPES[type].signed ? signed : unsigned;
    return operator in ARITHMETIC ? makeWrappingOperation(op, type, unified) : makeOperation(op, 'bool', unified);
  }

  #checkMembership({ value, list, start, end }: Expression & { kind: 'in' }): TypedExpression {
    const wanted = this.check(value);
    this.#numberType(wanted, 'in', value);
    if (list.length === 0)
      throw typeError({ start, end }, 'the list is empty, so nothing is in it', 'write the numbers');
    const all = [wanted, ...list.map((each) => this.check(each))];
    const [first, ...others] = this.#unifyTypes(all, 'in', (i) => (i === 0 ? value : (list[i - 1] ?? value)));
    return { kind: 'in', type: 'bool', value: first ?? wanted, list: others };
  }

  #checkConditional({ condition, then, otherwise, start, end }: Expression & { kind: 'conditional' }): TypedExpression {
    const decides = this.check(condition);
    if (decides.type !== 'bool')
      throw typeError(condition, 'the condition before ? must be a boolean', 'compare the number');
    const both = [this.check(then), this.check(otherwise)] as const;
    const [yes, no] = this.#unifyTypes(both, '?:', () => ({ start, end }));
    return makeConditional(decides, yes ?? both[0], no ?? both[1]);
  }

  #checkCall({ name, args, start, end }: Expression & { kind: 'call' }): TypedExpression {
    const range = { start, end };
    // `constructor` and other members of every object are not functions of expressions
    const isKnown = FUNCTION_NAMES.includes(name);
    const operator = isKnown ? BIT_FUNCTIONS[name] : undefined;
    const cast = isKnown ? CASTS[name] : undefined;
    const wanted = operator === undefined ? 1 : 2;
    if (operator === undefined && cast === undefined && !INVERSIONS.has(name)) {
      const close = findNearestName(name, FUNCTION_NAMES);
      const hint = close === undefined ? `known: ${FUNCTION_NAMES.join(', ')}` : `did you mean ${close}?`;
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
      throw typeError(
        range,
        `${name} takes ${wanted === 1 ? 'one value' : 'two values'}, not ${args.length}`,
        'correct the call',
      );
    }
    if (operator !== undefined) return this.#checkBinary(operator, first, second as Expression, { ...first, ...range });
    if (cast === undefined) return this.#checkUnary({ kind: 'unary', operator: '~', operand: first, ...range });
    const inner = wrapExpression(this.check(first), cast);
    return inner.kind === 'const' ? { ...inner, literal: false } : inner;
  }

  #numberType(tree: TypedExpression, operator: string, range: SourceRange): NumberType {
    if (tree.type !== 'bool') return tree.type;
    throw typeError(range, `${operator} needs numbers`, 'use && and || to combine conditions, or cast: int(…)');
  }

  /** Converts all operands to one type. A literal takes the type of the other operands. */
  #unifyTypes(
    operands: readonly TypedExpression[],
    operator: string,
    operandRange: (i: number) => SourceRange,
  ): TypedExpression[] {
    const cast = operands.find((each) => !isLiteral(each)) ?? operands.find(({ type }) => type === 'uint');
    const type = cast?.type ?? 'int';
    return operands.map((each, i) => {
      if (each.type === type) return each;
      if (type === 'bool' || each.type === 'bool' || !isLiteral(each))
        throw mixedTypesError(type, each.type, operator, operandRange(i));
      const value = NUMBER_TYPES[each.type].signed ? BigInt.asIntN(64, each.value) : each.value;
      const [smallest, largest] = typeRange(type);
      if (NUMBER_TYPES[each.type].signed || !NUMBER_TYPES[type].signed) {
        if (value >= smallest && value <= largest) return makeConstant(type, value);
        throw typeError(operandRange(i), `${value} is not a value of ${type}`, outOfRangeHint(type));
      }
      throw mixedTypesError(type, each.type, operator, operandRange(i));
    });
  }
}

function isLiteral(tree: TypedExpression): tree is TypedExpression & { kind: 'const' } {
  return tree.kind === 'const' && tree.literal;
}

function mixedTypesError(one: CelType, other: CelType, operator: string, range: SourceRange): CelError {
  const names = [one, other].map((type) => (type === 'bool' ? 'true or false' : type));
  const hint =
    one === 'bool' || other === 'bool'
      ? 'compare the number first'
      : `cast one of them, for example ${NUMBER_TYPES[one].bits < NUMBER_TYPES[other].bits ? other : one}(…)`;
  return typeError(range, `${operator} between ${names.join(' and ')}`, hint);
}

function outOfRangeHint(type: NumberType): string {
  return NUMBER_TYPES[type].signed
    ? 'cast the other operand to more bits: int(…)'
    : 'a uint is never negative: cast the other operand, for example int(arg0)';
}
