/** Checks plain values of any filter: numbers and texts. */
import { errorNumber } from '../../names/errors.js';
import { BINARY_TEXT_MAX, EQUAL_BYTES_MAX, FILTER_TEXT_MAX } from '../language/limits.js';
import type { Span } from '../parse/places.js';
import { quote, type Report } from '../parse/report.js';
import { isUnicode, parseInteger, writtenRange, withoutFinalNul } from '../model/values.js';
import { ARG_TYPES, NEGATED, type ArgTypeName, type Operator, type TypeFacts } from '../language/vocabulary.js';

/** Checks a text that the BPF programs compare: its length is limited, and it contains no NUL. */
export function checkText(value: string, operator: string, span: Span, report: Report): void {
  const text = withoutFinalNul(value);
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
  const limit = isBinary ? BINARY_TEXT_MAX : whole ? EQUAL_BYTES_MAX : FILTER_TEXT_MAX;
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

/** The kernel reports absolute paths, so a value that does not begin with / cannot match their beginning. */
export function checkAbsolute(value: string, operator: string, span: Span, report: Report): void {
  const base = NEGATED[operator as Operator] ?? operator;
  if (value === '' || value.startsWith('/')) return;
  if (base !== 'Equal' && base !== 'Prefix' && base !== 'In' && base !== 'NotIn') return;
  // A pipe, a socket or a file in memory has a name of its own instead of a path. Events show /memfd:NAME, as /proc does.
  if (/^(pipe|socket|anon_inode|memfd):/.test(value)) return;
  const never = operator.startsWith('Not') ? 'excludes nothing' : 'can never match';
  const hint = base === 'Prefix' ? 'use Postfix to match the end of a path' : 'write the whole path';
  report.add('PATH_NOT_ABSOLUTE', span, `paths begin with /: ${quote(value)} ${never}`, hint);
}

/** The operators whose values people take for patterns. */
const WITHOUT_PATTERNS: ReadonlySet<string> = new Set(['Equal', 'Prefix', 'Postfix', 'In']);

/** Warns about a value that looks like a pattern, such as `/etc/*`: a `*` is compared as any other character. */
export function warnPattern(value: string, operator: string, span: Span, report: Report): void {
  const not = operator.startsWith('Not') ? 'Not' : '';
  const first = value.indexOf('*');
  if (first < 0 || value.length < 2 || !WITHOUT_PATTERNS.has(operator.slice(not.length))) return;
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

/** `range` has the numbers that can be written. */
export function checkNumber(
  value: string,
  type: ArgTypeName,
  span: Span,
  report: Report,
  range = writtenRange(ARG_TYPES[type]),
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
        report.places.value(values, i),
        `${quote(value)} is listed twice`,
        'keep one of the two',
      );
    }
    seen.add(value);
  });
}
