/** Checks numbers and strings in filters. */
import { errorNumber } from '../../names/errors.js';
import { BINARY_PATH_MAX, EQUAL_BYTES_MAX, FILTER_STRING_MAX } from '../language/limits.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';
import { isUnicode, parseInteger, literalRange, stripFinalNul } from '../model/values.js';
import {
  ARG_TYPES,
  POSITIVE_OPERATORS,
  type ArgTypeName,
  type Operator,
  type TypeFacts,
} from '../language/vocabulary.js';

/** Checks a string that the BPF programs compare: its length is limited, and it must not contain a NUL. */
export function checkStringValue(value: string, operator: string, span: Span, report: Report): void {
  const text = stripFinalNul(value);
  if (text !== value) {
    report.add('VALUE_NUL_ENDED', span, 'the NUL at the end is ignored: texts are compared without it', 'remove \\0');
  }
  if (text.includes('\0')) {
    report.add('VALUE_WITH_NUL', span, 'texts in the kernel cannot contain a NUL', 'remove \\0');
    return;
  }
  if (!isUnicode(text)) {
    report.add(
      'VALUE_NOT_UNICODE',
      span,
      'the text contains one half of a surrogate pair without the other',
      'write the character itself',
    );
    return;
  }
  if (text === '' && operator !== 'Equal' && operator !== 'NotEqual') {
    report.add('VALUE_EMPTY', span, 'the value is empty', 'remove it, or write a text');
    return;
  }
  const isBinary = operator === 'In' || operator === 'NotIn';
  const isPart =
    operator === 'Prefix' || operator === 'Postfix' || operator === 'NotPrefix' || operator === 'NotPostfix';
  const whole = isBinary || !isPart;
  const limit = isBinary ? BINARY_PATH_MAX : whole ? EQUAL_BYTES_MAX : FILTER_STRING_MAX;
  const bytes = Buffer.byteLength(text);
  if (bytes > limit) {
    const hint = isBinary
      ? 'use Prefix or Postfix with a part of the path'
      : whole
        ? 'the kernel has no longer paths'
        : 'use a shorter part of the text, or Equal with the whole text';
    report.add('VALUE_TOO_LONG', span, `the value has ${bytes} bytes; ${operator} compares at most ${limit}`, hint);
  }
}

/** Warns about a relative path: the kernel reports absolute paths, so it cannot match their beginning. */
export function checkAbsolutePath(value: string, operator: string, span: Span, report: Report): void {
  const base = POSITIVE_OPERATORS[operator as Operator] ?? operator;
  if (value === '' || value.startsWith('/')) return;
  if (base !== 'Equal' && base !== 'Prefix' && base !== 'In' && base !== 'NotIn') return;
  // Pipes, sockets and files in memory have names instead of paths. Events show /memfd:NAME, as /proc does.
  if (/^(pipe|socket|anon_inode|memfd):/.test(value)) return;
  const never = operator.startsWith('Not') ? 'excludes nothing' : 'can never match';
  const hint = base === 'Prefix' ? 'use Postfix to match the end of a path' : 'write the whole path';
  report.add('PATH_NOT_ABSOLUTE', span, `paths begin with /: ${quote(value)} ${never}`, hint);
}

/** Operators whose values are often written as patterns, but are compared literally. */
const LITERAL_OPERATORS: ReadonlySet<string> = new Set(['Equal', 'Prefix', 'Postfix', 'In']);

/** Warns about a value that looks like a pattern, such as `/etc/*`: a `*` has no special meaning. */
export function warnPattern(value: string, operator: string, span: Span, report: Report): void {
  const not = operator.startsWith('Not') ? 'Not' : '';
  const first = value.indexOf('*');
  if (first < 0 || value.length < 2 || !LITERAL_OPERATORS.has(operator.slice(not.length))) return;
  const last = value.lastIndexOf('*');
  const before = value.slice(0, first).replace(/^\^/, '').replace(/\.$/, '');
  const after = value.slice(last + 1).replace(/\$$/, '');
  if (before !== '' && after !== '' && !before.startsWith('/')) return; // a text with a `*` somewhere
  const parts = [
    ...(before === '' ? [] : [`${not}Prefix with ${quote(before)}`]),
    ...(after === '' ? [] : [`${not}Postfix with ${quote(after)}`]),
  ];
  report.add(
    'VALUE_IS_PATTERN',
    span,
    `${operator} knows no patterns: the * in ${quote(value)} is compared as a character`,
    parts.length === 0 ? 'remove the filter to match everything' : `use ${parts.join(', and another filter ')}`,
  );
}

/** `range`: the allowed numbers. */
export function checkNumberValue(
  value: string,
  type: ArgTypeName,
  span: Span,
  report: Report,
  range = literalRange(ARG_TYPES[type]),
): void {
  const facts: TypeFacts = ARG_TYPES[type];
  const number = parseInteger(value);
  if (number === undefined) {
    const error = errorNumber(value.replace(/^-/, ''));
    const hint = /^0[0-9]+$/.test(value)
      ? 'a leading 0 means octal, where the digits 8 and 9 do not exist'
      : error !== undefined
        ? `functions return ${value} as "-${error}"`
        : 'write it in decimal, in hexadecimal with 0x, or in octal with 0';
    report.add('VALUE_NOT_A_NUMBER', span, `${quote(value)} is not a number, but ${type} needs one`, hint);
    return;
  }
  if (number >= range.minimum && number <= range.maximum) return;
  const bits = facts.bits ?? 64;
  const isNegative = number < 0n && number >= -(2n ** BigInt(bits - 1));
  const hint = isNegative
    ? `the ${type} with these bits is "${BigInt.asUintN(bits, number)}"`
    : 'correct the number, or the type of the argument';
  report.add(
    'VALUE_OUT_OF_RANGE',
    span,
    `a value of type ${type} must be from ${range.minimum} to ${range.maximum}`,
    hint,
  );
}

export function warnRepeated(values: readonly (string | number)[], report: Report): void {
  const seen = new Set<string | number>();
  values.forEach((value, i) => {
    if (seen.has(value)) {
      report.add(
        'VALUE_REPEATED',
        report.positions.value(values, i),
        `${quote(value)} is listed twice`,
        'keep one of the two',
      );
    }
    seen.add(value);
  });
}
