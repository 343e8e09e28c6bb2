/** Warns about values that are valid, but probably mean something else than their author thinks. */
import { positiveOperator, type BINARY_OPERATORS, type Operator } from '../language/vocabulary.js';
import { parseInteger } from '../model/values.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';

type PathOperator = Operator | (typeof BINARY_OPERATORS)[number];

const isNegated = (operator: PathOperator): boolean => operator.startsWith('Not');

/** `In` and `NotIn` are the operators of binaries; they compare like `Equal`. */
function baseOperator(operator: PathOperator): string {
  return operator === 'In' || operator === 'NotIn' ? 'Equal' : positiveOperator(operator);
}

/** Checks a value that is compared with the path of a file. */
export function warnUnlikelyPath(value: string, operator: PathOperator, span: Span, report: Report): void {
  const base = baseOperator(operator);
  if ((base === 'Equal' || base === 'Postfix') && /[^/]\/+$/.test(value)) warnFinalSlash(value, operator, span, report);
  if (base === 'Prefix') warnOpenPrefix(value, operator, span, report);
}

function warnFinalSlash(value: string, operator: PathOperator, span: Span, report: Report): void {
  const bare = value.replace(/\/+$/, '');
  const effect = isNegated(operator) ? 'excludes nothing' : 'can never match';
  const below = `${isNegated(operator) ? 'Not' : ''}Prefix with ${quote(`${bare}/`)} for everything below it`;
  report.add(
    'PATH_ENDS_WITH_SLASH',
    span,
    `the kernel reports paths without a / at the end: ${quote(value)} ${effect}`,
    baseOperator(operator) === 'Postfix'
      ? `use ${quote(bare)}`
      : `use ${below}, or ${quote(bare)} for the folder itself`,
  );
}

/**
 * Folders whose names are the beginning of another name on no usual machine. Policies name them without a slash, so that
 * the folder itself matches as well, and `/lib` means `/lib64`, too.
 */
const SYSTEM_FOLDERS = /^\/(s?bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|root|run|srv|sys|tmp|usr|var)$/;
/** A name below the root, or the home or the data of somebody. */
const OWN_FOLDER = /^\/((home|srv|opt|mnt|media)\/)?[\w-]{1,62}\w$/;

function warnOpenPrefix(value: string, operator: PathOperator, span: Span, report: Report): void {
  if (!OWN_FOLDER.test(value) || SYSTEM_FOLDERS.test(value)) return;
  report.add(
    'PREFIX_WITHOUT_SLASH',
    span,
    `${operator} compares characters: ${quote(value)} also matches ${quote(`${value}2`)}`,
    `if you mean the folder, write ${quote(`${value}/`)}`,
  );
}

/** Warns about a mask that is decimal, but looks like the octal number of a file mode or of a flag of open(2). */
export function warnDecimalMask(value: string, operator: Operator, span: Span, report: Report): void {
  if (operator !== 'Mask' || !/^[1-7][0-7]{2,}$/.test(value)) return;
  const decimal = parseInteger(value) ?? 0n;
  const octal = parseInteger(`0${value}`) ?? 0n;
  if (countBits(decimal) === 1 || (countBits(octal) > countBits(decimal) && !value.endsWith('77'))) return;
  report.add(
    'MASK_DECIMAL',
    span,
    `${quote(value)} is decimal: the mask has the bits 0x${decimal.toString(16)}`,
    `if you mean the octal number, write ${quote(`0${value}`)}`,
  );
}

function countBits(number: bigint): number {
  return number.toString(2).replaceAll('0', '').length;
}
