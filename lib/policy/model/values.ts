/** Reads values of filters: numbers in all notations of the format, and ranges of numbers. */
import type { TypeFacts } from '../language/vocabulary.js';

export interface Range {
  readonly minimum: bigint;
  readonly maximum: bigint;
}

/** Reads decimal, hexadecimal (0x), octal (0 or 0o) or binary (0b), with an optional sign. Undefined for other text. */
export function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([0-9]+))$/.exec(text);
  if (match === null || text.length > 70) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  // A number such as 089 is refused: the author may mean octal or decimal.
  if (decimal !== undefined && decimal.length > 1 && decimal.startsWith('0')) return undefined;
  const size = BigInt(
    hex !== undefined
      ? `0x${hex}`
      : binary !== undefined
        ? `0b${binary}`
        : octal !== undefined
          ? `0o${octal}`
          : (decimal ?? '0'),
  );
  return sign === '-' ? -size : size;
}

export function rangeOf(type: TypeFacts): Range {
  const bits = BigInt(type.bits ?? 64);
  return type.class === 'signed'
    ? { minimum: -(2n ** (bits - 1n)), maximum: 2n ** (bits - 1n) - 1n }
    : { minimum: 0n, maximum: 2n ** bits - 1n };
}

/**
 * The range of values that can be written for a type. A number that has the bits of a negative one stands for it:
 * `4294967295` of an int is -1.
 */
export function writtenRange(type: TypeFacts): Range {
  return { minimum: rangeOf(type).minimum, maximum: 2n ** BigInt(type.bits ?? 64) - 1n };
}

/** The value of the type that has the bits of the number. */
export function valueOf(type: TypeFacts, number: bigint): bigint {
  return type.class === 'signed' ? BigInt.asIntN(type.bits ?? 64, number) : number;
}

/** The two's complement of a number in 64 bits. */
export function toUnsigned64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** The text as the kernel sees it, without a NUL at its end. */
export function withoutFinalNul(text: string): string {
  return text.endsWith('\0') ? text.slice(0, -1) : text;
}

/**
 * The name of a local socket as it is read in the kernel: `@` stands for the NUL that an abstract name begins with, and
 * NULs at its end are no part of it.
 */
export function unixName(text: string): string {
  return text.replace(/^\0/, '@').replace(/\0+$/, '');
}

/** False if the text contains half of a surrogate pair, which cannot be encoded as UTF-8. */
export function isUnicode(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/** Reads `FROM:TO` (both included) or a single number. */
export function parseRange(text: string): Range | undefined {
  const [from = '', to, ...rest] = text.split(':');
  const minimum = parseInteger(from);
  const maximum = to === undefined ? minimum : parseInteger(to);
  return minimum === undefined || maximum === undefined || rest.length > 0 ? undefined : { minimum, maximum };
}
