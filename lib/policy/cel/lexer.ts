/** CEL expressions: text to words and signs. */
import { CelError } from './error.js';

export interface Token {
  readonly kind: 'number' | 'name' | 'sign' | 'end';
  readonly text: string;
  /** Half-open range in the expression. */
  readonly start: number;
  readonly end: number;
}

/** Longer signs first. */
const TOKEN =
  /(?<number>0[xX][0-9a-fA-F]+[uU]?|[0-9]+[uU]?)(?![\w.])|(?<name>[A-Za-z_]\w*)|(?<sign><<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>!~&|^?:(),[\]])/y;

/** Ends with a token of kind `end`. Throws CelError. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    TOKEN.lastIndex = at;
    const { number, name, sign } = TOKEN.exec(text)?.groups ?? {};
    const word = number ?? name ?? sign;
    if (word === undefined) throw unexpected(text, at);
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'sign';
    found.push({ kind, text: word, start: at, end: at + word.length });
    at += word.length;
  }
  found.push({ kind: 'end', text: '', start: text.length, end: text.length });
  return found;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at] as string)) at++;
  return at;
}

function unexpected(text: string, at: number): CelError {
  const sign = String.fromCodePoint(text.codePointAt(at) ?? 0);
  const hint = /[0-9.]/.test(sign)
    ? 'numbers are whole: decimal or 0x hexadecimal, with u at the end for uint'
    : /["']/.test(sign)
      ? 'expressions are about numbers: compare texts by Equal, Prefix, Postfix or SubString'
      : sign === '='
        ? 'equality is =='
        : 'known: numbers, names, + - * / % & | ^ ~ << >> == != < <= > >= && || ! ?: ( ) , [ ]';
  return new CelError('CEL_SYNTAX', `${JSON.stringify(sign)} has no meaning here`, hint, at, at + sign.length);
}
