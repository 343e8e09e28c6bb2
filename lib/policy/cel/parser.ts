/** Parses the tokens of a CEL expression into a tree. Precedence is as in Go: | and ^ like +, & and shifts like *. */
import { CEL_DEPTH_MAX } from '../language/limits.js';
import { CelError } from './error.js';
import { tokens, type Token } from './lexer.js';

interface Placed {
  readonly start: number;
  readonly end: number;
}

export type BinaryOperator = (typeof LEVELS)[number][number];
type UnaryOperator = '!' | '-' | '~';

export type Expression = Placed &
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
const LEVELS = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-', '|', '^'],
  ['*', '/', '%', '<<', '>>', '&'],
] as const;

/** Throws CelError. */
export function parseExpression(text: string): Expression {
  return new ExpressionParser(tokens(text)).whole();
}

class ExpressionParser {
  #at = 0;
  #depth = 0;

  constructor(private readonly words: readonly Token[]) {}

  whole(): Expression {
    const expression = this.#conditional();
    if (this.#next.kind !== 'end') throw this.#unexpected('an operator');
    return expression;
  }

  get #next(): Token {
    return this.words[this.#at] as Token;
  }

  #take(): Token {
    return this.words[this.#at++] as Token;
  }

  #accepts(sign: string): boolean {
    if (this.#next.kind !== 'sign' || this.#next.text !== sign) return false;
    this.#at++;
    return true;
  }

  #expect(sign: string): Token {
    if (!this.#accepts(sign)) throw this.#unexpected(`"${sign}"`);
    return this.words[this.#at - 1] as Token;
  }

  #unexpected(wanted: string): CelError {
    const { kind, text, start, end } = this.#next;
    const found = kind === 'end' ? 'the expression ends' : `the expression has ${JSON.stringify(text)}`;
    return new CelError('CEL_SYNTAX', `${found} where ${wanted} is expected`, 'correct the expression', start, end);
  }

  #conditional(): Expression {
    if (++this.#depth > CEL_DEPTH_MAX) {
      const { start, end } = this.#next;
      const message = `the expression has more than ${CEL_DEPTH_MAX} levels of parentheses and signs`;
      throw new CelError('LIMIT_CEL', message, 'use simpler expressions', start, end);
    }
    const condition = this.#binary(0);
    let whole = condition;
    if (this.#accepts('?')) {
      const then = this.#conditional();
      this.#expect(':');
      const otherwise = this.#conditional();
      whole = { kind: 'conditional', condition, then, otherwise, start: condition.start, end: otherwise.end };
    }
    this.#depth--;
    return whole;
  }

  #binary(level: number): Expression {
    const operators: readonly string[] | undefined = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    while (this.#next.kind !== 'number' && this.#next.kind !== 'end' && operators.includes(this.#next.text)) {
      const operator = this.#take().text as BinaryOperator;
      left = operator === 'in' ? this.#membership(left) : this.#operation(operator, left, this.#binary(level + 1));
    }
    return left;
  }

  #operation(operator: BinaryOperator, left: Expression, right: Expression): Expression {
    return { kind: 'binary', operator, left, right, start: left.start, end: right.end };
  }

  #membership(value: Expression): Expression {
    this.#expect('[');
    const list = this.#list(']');
    return { kind: 'in', value, list, start: value.start, end: (this.words[this.#at - 1] as Token).end };
  }

  /** Parses the expressions up to the closing sign, and the closing sign itself. */
  #list(closing: string): Expression[] {
    const list: Expression[] = [];
    if (this.#accepts(closing)) return list;
    do list.push(this.#conditional());
    while (this.#accepts(','));
    this.#expect(closing);
    return list;
  }

  #unary(): Expression {
    const { text, start, kind } = this.#next;
    if (kind !== 'sign' || (text !== '!' && text !== '-' && text !== '~')) return this.#primary();
    this.#at++;
    if (++this.#depth > CEL_DEPTH_MAX)
      throw new CelError('LIMIT_CEL', 'there are too many signs in a row', 'remove some', start, start + 1);
    const operand = this.#unary();
    this.#depth--;
    return { kind: 'unary', operator: text, operand, start, end: operand.end };
  }

  #primary(): Expression {
    const { kind, text, start, end } = this.#next;
    if (kind === 'number') {
      this.#at++;
      return number(text, start, end);
    }
    if (kind === 'name' && text !== 'in') {
      this.#at++;
      if (text === 'true' || text === 'false') return { kind: 'boolean', value: text === 'true', start, end };
      if (!this.#accepts('(')) return { kind: 'name', name: text, start, end };
      const args = this.#list(')');
      return { kind: 'call', name: text, args, start, end: (this.words[this.#at - 1] as Token).end };
    }
    if (!this.#accepts('(')) throw this.#unexpected('a value');
    const inner = this.#conditional();
    const closing = this.#expect(')');
    return { ...inner, start, end: closing.end };
  }
}

function number(text: string, start: number, end: number): Expression {
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
