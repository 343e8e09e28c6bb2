/** Parses filter values: numbers in all notations of the format, ranges of numbers, and strings. */
import type { TypeFacts } from '../language/vocabulary.js';

export interface Range {
  readonly minimum: bigint;
  readonly maximum: bigint;
}

/**
 * Parses decimal, hexadecimal (0x), octal (0 or 0o) and binary (0b) with an optional sign; undefined for other text.
 */
export function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([0-9]+))$/.exec(text);
  if (match === null || text.length > 70) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  // A number such as 089 is refused: it may be meant as octal or as decimal.
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

export function typeRange(type: TypeFacts): Range {
  const bits = BigInt(type.bits ?? 64);
  return type.class === 'signed'
    ? { minimum: -(2n ** (bits - 1n)), maximum: 2n ** (bits - 1n) - 1n }
    : { minimum: 0n, maximum: 2n ** bits - 1n };
}

/**
 * Returns the range of literals of a type. A literal with the bits of a negative number stands for that number:
 * `4294967295` of an int is -1.
 */
export function literalRange(type: TypeFacts): Range {
  return { minimum: typeRange(type).minimum, maximum: 2n ** BigInt(type.bits ?? 64) - 1n };
}

/** Returns the value of the type with the bits of the number. */
export function wrapToType(type: TypeFacts, number: bigint): bigint {
  return type.class === 'signed' ? BigInt.asIntN(type.bits ?? 64, number) : number;
}

/** Returns the numbers of the type in a range. A range of one number can also be a literal with its bits. */
export function limitToType(type: TypeFacts, { minimum, maximum }: Range): Range {
  if (minimum === maximum) return { minimum: wrapToType(type, minimum), maximum: wrapToType(type, maximum) };
  const full = typeRange(type);
  return {
    minimum: minimum < full.minimum ? full.minimum : minimum,
    maximum: maximum > full.maximum ? full.maximum : maximum,
  };
}

/** Returns the two's complement of a number in 64 bits. */
export function toUnsigned64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** Removes a NUL from the end, because the kernel compares strings without it. */
export function stripFinalNul(text: string): string {
  return text.endsWith('\0') ? text.slice(0, -1) : text;
}

/**
 * Returns the name of a local socket as the BPF programs read it. `@` replaces the NUL at the start of an abstract
 * name, and NULs at the end are removed.
 */
export function normaliseUnixName(text: string): string {
  return text.replace(/^\0/, '@').replace(/\0+$/, '');
}

/** False if the text contains a lone surrogate, which cannot be encoded as UTF-8. */
export function isUnicode(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/** Parses `FROM:TO` (both included) or a single number. */
export function parseRange(text: string): Range | undefined {
  const [from = '', to, ...rest] = text.split(':');
  const minimum = parseInteger(from);
  const maximum = to === undefined ? minimum : parseInteger(to);
  return minimum === undefined || maximum === undefined || rest.length > 0 ? undefined : { minimum, maximum };
}
