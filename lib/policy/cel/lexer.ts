/** Splits a CEL expression into tokens. */
import { CelError } from './error.js';

export interface Token {
  readonly kind: 'number' | 'name' | 'sign' | 'end';
  readonly text: string;
  /** Range of the token in the expression. The end is not included. */
  readonly start: number;
  readonly end: number;
}

/** Longer signs come first, so that `<=` is not read as `<`. */
const TOKEN =
  /(?<number>0[xX][0-9a-fA-F]+[uU]?|[0-9]+[uU]?)(?![\w.])|(?<name>[A-Za-z_]\w*)|(?<sign><<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>!~&|^?:(),[\]])/y;

/** The last token has the kind `end`. Throws CelError. */
export function tokenize(text: string): Token[] {
  const found: Token[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    TOKEN.lastIndex = at;
    const { number, name, sign } = TOKEN.exec(text)?.groups ?? {};
    const token = number ?? name ?? sign;
    if (token === undefined) throw unexpectedCharacter(text, at);
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'sign';
    found.push({ kind, text: token, start: at, end: at + token.length });
    at += token.length;
  }
  found.push({ kind: 'end', text: '', start: text.length, end: text.length });
  return found;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at] as string)) at++;
  return at;
}

function unexpectedCharacter(text: string, at: number): CelError {
  const sign = String.fromCodePoint(text.codePointAt(at) ?? 0);
  const hint = /[0-9.]/.test(sign)
    ? 'numbers must be whole: decimal, or hexadecimal with 0x; add u at the end for uint'
    : /["']/.test(sign)
      ? 'expressions compare numbers: use Equal, Prefix, Postfix or SubString for texts'
      : sign === '='
        ? 'use == to compare'
        : 'an expression can contain numbers, names and + - * / % & | ^ ~ << >> == != < <= > >= && || ! ?: ( ) , [ ]';
  return new CelError(
    'CEL_SYNTAX',
    `${JSON.stringify(sign)} is not allowed in an expression`,
    hint,
    at,
    at + sign.length,
  );
}
