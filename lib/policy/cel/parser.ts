/** Parses a CEL expression into a tree. Precedence is as in Go: | and ^ are like +, & and shifts are like *. */
import { CEL_DEPTH_MAX } from '../language/limits.js';
import { CelError } from './error.js';
import { tokenize, type Token } from './lexer.js';

/** Range of characters in the expression. The end is not included. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

export type BinaryOperator = (typeof PRECEDENCE_LEVELS)[number][number];
type UnaryOperator = '!' | '-' | '~';

export type Expression = SourceRange &
  (
    | { readonly kind: 'number'; readonly value: bigint; readonly unsigned: boolean }
    | { readonly kind: 'boolean'; readonly value: boolean }
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
    | {
        readonly kind: 'binary';
        readonly operator: BinaryOperator;
        readonly left: Expression;
        readonly right: Expression;
      }
    | { readonly kind: 'in'; readonly value: Expression; readonly list: readonly Expression[] }
    | {
        readonly kind: 'conditional';
        readonly condition: Expression;
        readonly then: Expression;
        readonly otherwise: Expression;
      }
    | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  );

/** The operators with the lowest precedence come first. */
const PRECEDENCE_LEVELS = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-', '|', '^'],
  ['*', '/', '%', '<<', '>>', '&'],
] as const;

/** Throws CelError. */
export function parseExpression(text: string): Expression {
  return new ExpressionParser(tokenize(text)).parse();
}

class ExpressionParser {
  #index = 0;
  #depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): Expression {
    const expression = this.#parseConditional();
    if (this.#next.kind !== 'end') throw this.#unexpectedToken('an operator');
    return expression;
  }

  get #next(): Token {
    return this.tokens[this.#index] as Token;
  }

  #take(): Token {
    return this.tokens[this.#index++] as Token;
  }

  #accept(sign: string): boolean {
    if (this.#next.kind !== 'sign' || this.#next.text !== sign) return false;
    this.#index++;
    return true;
  }

  #expect(sign: string): Token {
    if (!this.#accept(sign)) throw this.#unexpectedToken(`"${sign}"`);
    return this.tokens[this.#index - 1] as Token;
  }

  #unexpectedToken(wanted: string): CelError {
    const { kind, text, start, end } = this.#next;
    const found = kind === 'end' ? 'the expression ends' : `the expression has ${JSON.stringify(text)}`;
    return new CelError('CEL_SYNTAX', `${found} where ${wanted} is expected`, 'correct the expression', start, end);
  }

  #parseConditional(): Expression {
    if (++this.#depth > CEL_DEPTH_MAX) {
      const { start, end } = this.#next;
      const message = `the expression has more than ${CEL_DEPTH_MAX} levels of parentheses and signs`;
      throw new CelError('LIMIT_CEL', message, 'use simpler expressions', start, end);
    }
    const condition = this.#parseBinary(0);
    let whole = condition;
    if (this.#accept('?')) {
      const then = this.#parseConditional();
      this.#expect(':');
      const otherwise = this.#parseConditional();
      whole = { kind: 'conditional', condition, then, otherwise, start: condition.start, end: otherwise.end };
    }
    this.#depth--;
    return whole;
  }

  #parseBinary(level: number): Expression {
    const operators: readonly string[] | undefined = PRECEDENCE_LEVELS[level];
    if (operators === undefined) return this.#parseUnary();
    let left = this.#parseBinary(level + 1);
    while (this.#next.kind !== 'number' && this.#next.kind !== 'end' && operators.includes(this.#next.text)) {
      const operator = this.#take().text as BinaryOperator;
      left =
        operator === 'in'
          ? this.#parseMembership(left)
          : this.#makeBinary(operator, left, this.#parseBinary(level + 1));
    }
    return left;
  }

  #makeBinary(operator: BinaryOperator, left: Expression, right: Expression): Expression {
    return { kind: 'binary', operator, left, right, start: left.start, end: right.end };
  }

  #parseMembership(value: Expression): Expression {
    this.#expect('[');
    const list = this.#parseList(']');
    return { kind: 'in', value, list, start: value.start, end: (this.tokens[this.#index - 1] as Token).end };
  }

  /** Parses the expressions up to the closing sign, and the closing sign itself. */
  #parseList(closing: string): Expression[] {
    const list: Expression[] = [];
    if (this.#accept(closing)) return list;
    do list.push(this.#parseConditional());
    while (this.#accept(','));
    this.#expect(closing);
    return list;
  }

  #parseUnary(): Expression {
    const { text, start, kind } = this.#next;
    if (kind !== 'sign' || (text !== '!' && text !== '-' && text !== '~')) return this.#parsePrimary();
    this.#index++;
    if (++this.#depth > CEL_DEPTH_MAX)
      throw new CelError('LIMIT_CEL', 'there are too many signs in a row', 'remove some', start, start + 1);
    const operand = this.#parseUnary();
    this.#depth--;
    return { kind: 'unary', operator: text, operand, start, end: operand.end };
  }

  #parsePrimary(): Expression {
    const { kind, text, start, end } = this.#next;
    if (kind === 'number') {
      this.#index++;
      return parseNumber(text, start, end);
    }
    if (kind === 'name' && text !== 'in') {
      this.#index++;
      if (text === 'true' || text === 'false') return { kind: 'boolean', value: text === 'true', start, end };
      if (!this.#accept('(')) return { kind: 'name', name: text, start, end };
      const args = this.#parseList(')');
      return { kind: 'call', name: text, args, start, end: (this.tokens[this.#index - 1] as Token).end };
    }
    if (!this.#accept('(')) throw this.#unexpectedToken('a value');
    const inner = this.#parseConditional();
    const closing = this.#expect(')');
    return { ...inner, start, end: closing.end };
  }
}

function parseNumber(text: string, start: number, end: number): Expression {
  const unsigned = /u$/i.test(text);
  const digits = unsigned ? text.slice(0, -1) : text;
  if (/^0[0-9]/.test(digits)) {
    throw new CelError(
      'CEL_SYNTAX',
      `${text} begins with 0`,
      'write a decimal number without the 0, or a hexadecimal number with 0x',
      start,
      end,
    );
  }
  const value = BigInt(digits);
  if (value >= 2n ** 64n)
    throw new CelError('CEL_SYNTAX', `${text} has more than 64 bits`, 'use a smaller number', start, end);
  return { kind: 'number', value, unsigned, start, end };
}
