/** Compiles filters on texts and paths: a table for each way of comparing, scans for substrings, and file types. */
import type { IntGroup, SubstringScan, TextFilters, TextTable } from '../../compiled/compiled-policy.js';
import { familyNumber, fileTypeNumber } from '../model/numbers.js';
import { withoutFinalNul } from '../model/values.js';
import type { Operator } from '../language/vocabulary.js';
import { baseOf, isNegated, selectorSet, shared, type Clause } from './filters.js';
import { equal, intGroups } from './groups.js';
import { distinct, valueTable, type Keyed } from './tables.js';

type NameOf = (value: string) => string;
type Fits = (text: string, value: string) => boolean;

const COMPARISONS: readonly {
  key: 'equal' | 'prefix' | 'postfix';
  operator: Operator;
  fits: Fits;
  reversed: boolean;
}[] = [
  { key: 'equal', operator: 'Equal', fits: (text, value) => text === value, reversed: false },
  { key: 'prefix', operator: 'Prefix', fits: (text, value) => text.startsWith(value), reversed: false },
  { key: 'postfix', operator: 'Postfix', fits: (text, value) => text.endsWith(value), reversed: true },
];

/** `nameOf`: a value as the kernel side reads it. */
export function textFilters(clauses: readonly Clause[], nameOf = withoutFinalNul): TextFilters {
  const filters: { -readonly [key in keyof TextFilters]: TextFilters[key] } = {};
  for (const { key, operator, fits, reversed } of COMPARISONS) {
    const own = clauses.filter((clause) => baseOf(clause) === operator);
    if (own.length > 0) filters[key] = table(own, fits, reversed, nameOf);
  }
  const substrings = scans(clauses, nameOf);
  if (substrings.length > 0) filters.substrings = substrings;
  const inode = selectorSet(clauses.filter(({ filter }) => filter.inode === true).map(({ selector }) => selector));
  if (inode.length > 0) filters.inode = inode;
  return filters;
}

/** Comparisons of the type of the file that a path leads to. */
export function fileTypeGroups(clauses: readonly Clause[]): IntGroup[] {
  return namedGroups(clauses, 'FileType', fileTypeNumber);
}

/** Comparisons of the family of a socket address. */
export function familyGroups(clauses: readonly Clause[]): IntGroup[] {
  return namedGroups(clauses, 'Family', familyNumber);
}

function namedGroups(
  clauses: readonly Clause[],
  operator: Operator,
  numberOf: (value: string) => bigint | undefined,
): IntGroup[] {
  return intGroups(
    clauses
      .filter((clause) => baseOf(clause) === operator)
      .map((clause) => ({
        selector: clause.selector,
        negate: isNegated(clause),
        tests: clause.values.map((value) => equal(numberOf(value) ?? 0n)),
      })),
  );
}

function table(clauses: readonly Clause[], fits: Fits, reversed: boolean, nameOf: NameOf): TextTable {
  const own = clauses.map((clause) => ({
    selector: clause.selector,
    negate: isNegated(clause),
    keys: new Set(clause.values.map(nameOf)),
  }));
  return valueTable(own, sortTexts([...new Set(own.flatMap(({ keys }) => [...keys]))], reversed), fits);
}

/**
 * Sorts texts by their bytes, read from the end if ends are compared. A value that matches another comes right before
 * it.
 */
function sortTexts(values: readonly string[], reversed: boolean): Keyed<string>[] {
  const keyed = distinct(values.map((value) => ({ key: value, value }))).map((each) => {
    const bytes = Buffer.from(each.value);
    return { each, bytes: reversed ? bytes.reverse() : bytes };
  });
  return keyed.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ each }) => each);
}

/** Puts the k-th filter of a selector into the k-th scan of its kind. */
function scans(clauses: readonly Clause[], nameOf: NameOf): SubstringScan[] {
  const rows = new Map<string, { ignoreCase: boolean; clauses: Clause[] }>();
  const used = new Map<string, number>();
  for (const clause of clauses) {
    if (clause.operator !== 'SubString' && clause.operator !== 'SubStringIgnCase') continue;
    const ignoreCase = clause.operator === 'SubStringIgnCase';
    const place = `${ignoreCase} ${clause.selector}`;
    const row = used.get(place) ?? 0;
    used.set(place, row + 1);
    const scan = rows.get(`${ignoreCase} ${row}`) ?? { ignoreCase, clauses: [] };
    scan.clauses.push(clause);
    rows.set(`${ignoreCase} ${row}`, scan);
  }
  return [...rows.values()].map((scan) => scanOf(scan.ignoreCase, scan.clauses, nameOf));
}

function scanOf(ignoreCase: boolean, clauses: readonly Clause[], nameOf: NameOf): SubstringScan {
  const needle = (value: string): { text: string } => {
    const text = nameOf(value);
    return { text: ignoreCase ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text };
  };
  return {
    ignoreCase,
    selectors: selectorSet(clauses.map(({ selector }) => selector)),
    needles: shared(
      clauses.flatMap(({ selector, values }) => values.map((value) => ({ selector, item: needle(value) }))),
    ),
  };
}
