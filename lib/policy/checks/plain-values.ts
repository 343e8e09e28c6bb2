/** Checks numbers and strings in filters. */
import { errorNumber } from '../../names/errors.js';
import { BINARY_PATH_MAX, EQUAL_BYTES_MAX, FILTER_STRING_MAX } from '../language/limits.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';
import { isUnicode, parseInteger, literalRange, stripFinalNul } from '../model/values.js';
import {
  ARG_TYPES,
  positiveOperator,
  type ArgTypeName,
  type BINARY_OPERATORS,
  type Operator,
  type StringOperator,
  type TypeFacts,
} from '../language/vocabulary.js';

type ComparedStringOperator = Exclude<StringOperator, 'FileType' | 'Family'>;
/** The operators that compare strings. Those of `matchBinaries` belong to them. */
type StringComparingOperator = Operator | (typeof BINARY_OPERATORS)[number];

interface StringRule {
  /** Maximum number of bytes of a value. */
  readonly maxBytes: number;
  readonly tooLongHint: string;
  /** An empty value compares something. */
  readonly canBeEmpty: boolean;
  /** A value for a path contains its beginning, so it is absolute. */
  readonly fromStart: boolean;
  /** The end of the string must be known. */
  readonly needsEnd: boolean;
  /** People often write a pattern instead of the value. */
  readonly isTakenForPattern: boolean;
}

const WHOLE = { maxBytes: EQUAL_BYTES_MAX, tooLongHint: 'the kernel has no longer paths' };
const PART = {
  maxBytes: FILTER_STRING_MAX,
  tooLongHint: 'use a shorter part of the text, or Equal with the whole text',
  canBeEmpty: false,
  isTakenForPattern: true,
};
const SUBSTRING = { ...WHOLE, canBeEmpty: false, fromStart: false, needsEnd: true, isTakenForPattern: false };

const STRING_RULES: Readonly<Record<ComparedStringOperator | 'In', StringRule>> = {
  Equal: { ...WHOLE, canBeEmpty: true, fromStart: true, needsEnd: false, isTakenForPattern: true },
  Prefix: { ...PART, fromStart: true, needsEnd: false },
  Postfix: { ...PART, fromStart: false, needsEnd: true },
  SubString: SUBSTRING,
  SubStringIgnCase: SUBSTRING,
  In: {
    maxBytes: BINARY_PATH_MAX,
    tooLongHint: 'use Prefix or Postfix with a part of the path',
    canBeEmpty: false,
    fromStart: true,
    needsEnd: false,
    isTakenForPattern: true,
  },
};

/** The rule of an operator that compares strings; undefined for all others. */
function findStringRule(operator: StringComparingOperator): StringRule | undefined {
  const base = operator === 'In' || operator === 'NotIn' ? 'In' : positiveOperator(operator);
  return (STRING_RULES as Readonly<Partial<Record<string, StringRule>>>)[base];
}

/** True if the operator compares strings, and the first bytes of a string are not enough for it. */
export function needsWholeString(operator: Operator): boolean {
  return findStringRule(operator)?.needsEnd === true;
}

/** Checks a string that the BPF programs compare: its length is limited, and it must not contain a NUL. */
export function checkStringValue(value: string, operator: StringComparingOperator, span: Span, report: Report): void {
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
  const rule = findStringRule(operator);
  if (rule === undefined) return;
  if (text === '' && !rule.canBeEmpty) {
    report.add('VALUE_EMPTY', span, 'the value is empty', 'remove it, or write a text');
    return;
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > rule.maxBytes) {
    const message = `the value has ${bytes} bytes; ${operator} compares at most ${rule.maxBytes}`;
    report.add('VALUE_TOO_LONG', span, message, rule.tooLongHint);
  }
}

/** Warns about a relative path: the kernel reports absolute paths, so it cannot match their beginning. */
export function checkAbsolutePath(value: string, operator: StringComparingOperator, span: Span, report: Report): void {
  if (value === '' || value.startsWith('/') || findStringRule(operator)?.fromStart !== true) return;
  // Pipes, sockets and files in memory have names instead of paths. Events show /memfd:NAME, as /proc does.
  if (/^(pipe|socket|anon_inode|memfd):/.test(value)) return;
  const never = operator.startsWith('Not') ? 'excludes nothing' : 'can never match';
  const postfix = operator.startsWith('Not') ? 'NotPostfix' : 'Postfix';
  const hint = operator.endsWith('Prefix')
    ? 'use Postfix to match the end of a path'
    : `write the whole path, or use ${postfix} with ${quote(`/${value}`)}`;
  report.add('PATH_NOT_ABSOLUTE', span, `paths begin with /: ${quote(value)} ${never}`, hint);
}

/** Checks that the address of an algorithm has a type and a name, where the filter compares all of it. */
export function checkAlgorithm(value: string, operator: Operator, span: Span, report: Report): void {
  if (value === '' || value.includes('/') || positiveOperator(operator) !== 'Equal') return;
  const never = operator.startsWith('Not') ? 'excludes nothing' : 'can never match';
  const postfix = operator.startsWith('Not') ? 'NotPostfix' : 'Postfix';
  const hint = `write both, such as hash/sha256, or use ${postfix} with ${quote(`/${value}`)} for every type`;
  report.add(
    'ALGORITHM_WITHOUT_TYPE',
    span,
    `an address of AF_ALG is a type, a slash, and a name: ${quote(value)} ${never}`,
    hint,
  );
}

/** Warns about a value that looks like a pattern, such as `/etc/*`: a `*` has no special meaning. */
export function warnPattern(value: string, operator: StringComparingOperator, span: Span, report: Report): void {
  const not = operator.startsWith('Not') ? 'Not' : '';
  const first = value.indexOf('*');
  if (first < 0 || value.length < 2 || findStringRule(operator)?.isTakenForPattern !== true) return;
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

/** The names that people use for the second argument of security_file_permission, as in linux/fs.h. */
const ACCESS_MASKS: Readonly<Record<string, number>> = { MAY_EXEC: 1, MAY_WRITE: 2, MAY_READ: 4, MAY_APPEND: 8 };

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
      : Object.hasOwn(ACCESS_MASKS, value)
        ? `${value} is "${ACCESS_MASKS[value]}"`
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
