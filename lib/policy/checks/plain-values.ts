/** Checks plain values, numbers and texts, whatever the filter. */
import { BINARY_TEXT_MAX, EQUAL_BYTES_MAX, FILTER_TEXT_MAX } from '../language/limits.js';
import type { Span } from '../parse/places.js';
import { quote, type Report } from '../parse/report.js';
import { isUnicode, parseInteger, rangeFor, withoutFinalNul } from '../model/values.js';
import { ARG_TYPES, NEGATED, type ArgTypeName, type Operator, type TypeFacts } from '../language/vocabulary.js';

/** A text that the kernel side compares: of bounded length, without NUL. */
export function checkText(value: string, operator: string, span: Span, report: Report): void {
  const text = withoutFinalNul(value);
  if (text !== value) {
    report.add('VALUE_NUL_ENDED', span, 'the NUL at the end is left out: texts are compared without it', 'remove \\0');
  }
  if (text.includes('\0')) {
    report.add('VALUE_WITH_NUL', span, 'a text of the kernel has no NUL in it', 'remove \\0');
    return;
  }
  if (!isUnicode(text)) {
    report.add('VALUE_NOT_UNICODE', span, 'half of a surrogate pair stands alone here', 'write the character itself');
    return;
  }
  if (text === '') {
    report.add('EMPTY_TEXT', span, 'an empty value', 'remove it, or name a text');
    return;
  }
  const isBinary = operator === 'In' || operator === 'NotIn';
  const isPart =
    operator === 'Prefix' || operator === 'Postfix' || operator === 'NotPrefix' || operator === 'NotPostfix';
  const whole = isBinary || !isPart;
  const limit = isBinary ? BINARY_TEXT_MAX : whole ? EQUAL_BYTES_MAX : FILTER_TEXT_MAX;
  const bytes = Buffer.byteLength(text);
  if (bytes > limit) {
    const hint = isBinary
      ? 'use Prefix or Postfix with a part of it'
      : whole
        ? 'no path of the kernel is longer'
        : 'use a shorter part of it, or Equal with the whole text';
    report.add('VALUE_TOO_LONG', span, `${bytes} bytes; ${operator} compares at most ${limit}`, hint);
  }
}

/** The kernel gives absolute paths: anything else cannot be their beginning. */
export function checkAbsolute(value: string, operator: string, span: Span, report: Report): void {
  const base = NEGATED[operator as Operator] ?? operator;
  if (value === '' || value.startsWith('/')) return;
  if (base !== 'Equal' && base !== 'Prefix' && base !== 'In' && base !== 'NotIn') return;
  // A pipe or socket has a name of its own instead of a path.
  if (/^(pipe|socket|anon_inode):/.test(value)) return;
  const never = operator.startsWith('Not') ? 'excludes nothing' : 'can never match';
  const hint = base === 'Prefix' ? 'for the end of a path use Postfix' : 'write the whole path';
  report.add('PATH_NOT_ABSOLUTE', span, `paths begin with /: ${quote(value)} ${never}`, hint);
}

export function checkNumber(value: string, operator: Operator, type: ArgTypeName, span: Span, report: Report): void {
  const facts: TypeFacts = ARG_TYPES[type];
  const number = parseInteger(value);
  if (number === undefined) {
    const hint = /^0[0-9]+$/.test(value)
      ? 'a 0 in front means octal, which has no 8 or 9'
      : 'decimal, 0x hexadecimal or 0 octal';
    report.add('VALUE_NOT_A_NUMBER', span, `${quote(value)} is not a number, which ${type} needs`, hint);
    return;
  }
  const range = rangeFor(facts, operator);
  if (number >= range.minimum && number <= range.maximum) return;
  const bits = facts.bits ?? 64;
  const wrapped = facts.class === 'signed' ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number);
  const sameBits = BigInt.asUintN(bits, number) === (number < 0n ? number + 2n ** BigInt(bits) : number);
  const hint = sameBits ? `as ${type} these bits are "${wrapped}"` : 'correct the number, or the type of the argument';
  report.add('VALUE_OUT_OF_RANGE', span, `${type} is from ${range.minimum} to ${range.maximum}`, hint);
}

export function warnRepeated(values: readonly (string | number)[], report: Report): void {
  const seen = new Set<string | number>();
  values.forEach((value, i) => {
    if (seen.has(value)) {
      report.add(
        'VALUE_REPEATED',
        report.places.value(values, i),
        `${quote(value)} stands here twice`,
        'keep one of the two',
      );
    }
    seen.add(value);
  });
}
