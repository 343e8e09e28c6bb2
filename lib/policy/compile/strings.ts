/** Compiles filters on strings and paths: a table for each kind of comparison, scans for substrings, and file types. */
import type { StringTableKey } from '../../compiled/compiled-hook.js';
import type { IntGroup, SubstringScan, StringFilters, StringTable } from '../../compiled/compiled-policy.js';
import { familyNumber, fileTypeNumber } from '../model/numbers.js';
import { stripFinalNul } from '../model/values.js';
import type { StringOperator } from '../language/vocabulary.js';
import { baseOperator, isNegatedClause, sortSelectors, mergeEqualItems, type Clause } from './filters.js';
import { makeEqualTest, makeIntGroups } from './groups.js';
import { removeDuplicates, makeValueTable, type KeyedValue } from './tables.js';

type Normalize = (value: string) => string;
type Matches = (string: string, value: string) => boolean;

const TABLES: Readonly<Record<StringTableKey, { readonly fits: Matches; readonly reversed: boolean }>> = {
  equal: { fits: (string, value) => string === value, reversed: false },
  prefix: { fits: (string, value) => string.startsWith(value), reversed: false },
  postfix: { fits: (string, value) => string.endsWith(value), reversed: true },
};
const TABLE_KEYS = Object.keys(TABLES) as StringTableKey[];

/** What each operator becomes: a table, a scan for substrings, or comparisons of the number that a name stands for. */
const COMPARISONS = {
  Equal: 'equal',
  Prefix: 'prefix',
  Postfix: 'postfix',
  SubString: 'substring',
  SubStringIgnCase: 'substringIgnoringCase',
  FileType: 'fileType',
  Family: 'family',
} as const satisfies Readonly<
  Record<StringOperator, StringTableKey | 'substring' | 'substringIgnoringCase' | 'fileType' | 'family'>
>;

function clauseComparison(clause: Clause): (typeof COMPARISONS)[StringOperator] {
  return COMPARISONS[baseOperator<StringOperator>(clause)];
}

/** `normalize` returns a value as the BPF programs read it. */
export function compileStringFilters(clauses: readonly Clause[], normalize = stripFinalNul): StringFilters {
  const filters: { -readonly [key in keyof StringFilters]: StringFilters[key] } = {};
  for (const key of TABLE_KEYS) {
    const { fits, reversed } = TABLES[key];
    const own = clauses.filter((clause) => clauseComparison(clause) === key);
    if (own.length > 0) filters[key] = makeStringTable(own, fits, reversed, normalize);
  }
  const substrings = makeScans(clauses, normalize);
  if (substrings.length > 0) filters.substrings = substrings;
  const inode = sortSelectors(clauses.filter(({ filter }) => filter.inode === true).map(({ selector }) => selector));
  if (inode.length > 0) filters.inode = inode;
  return filters;
}

/** Comparisons of the type of a file. */
export function compileFileTypeGroups(clauses: readonly Clause[]): IntGroup[] {
  return makeNameGroups(clauses, 'fileType', fileTypeNumber);
}

/** Comparisons of the family of a socket address. */
export function compileFamilyGroups(clauses: readonly Clause[]): IntGroup[] {
  return makeNameGroups(clauses, 'family', familyNumber);
}

function makeNameGroups(
  clauses: readonly Clause[],
  comparison: 'fileType' | 'family',
  toNumber: (value: string) => bigint | undefined,
): IntGroup[] {
  return makeIntGroups(
    clauses
      .filter((clause) => clauseComparison(clause) === comparison)
      .map((clause) => ({
        selector: clause.selector,
        negate: isNegatedClause(clause),
        tests: clause.values.map((value) => makeEqualTest(toNumber(value) ?? 0n)),
      })),
  );
}

function makeStringTable(
  clauses: readonly Clause[],
  fits: Matches,
  reversed: boolean,
  normalize: Normalize,
): StringTable {
  const own = clauses.map((clause) => ({
    selector: clause.selector,
    negate: isNegatedClause(clause),
    keys: new Set(clause.values.map(normalize)),
  }));
  return makeValueTable(own, sortStrings([...new Set(own.flatMap(({ keys }) => [...keys]))], reversed), fits);
}

/**
 * Sorts strings by their bytes, or by their reversed bytes for postfixes. A value that matches another one comes before
 * it.
 */
function sortStrings(values: readonly string[], reversed: boolean): KeyedValue<string>[] {
  const keyed = removeDuplicates(values.map((value) => ({ key: value, value }))).map((each) => {
    const bytes = Buffer.from(each.value);
    return { each, bytes: reversed ? bytes.reverse() : bytes };
  });
  return keyed.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ each }) => each);
}

/** Puts the k-th filter of a selector into the k-th scan with the same case rule. */
function makeScans(clauses: readonly Clause[], normalize: Normalize): SubstringScan[] {
  const rows = new Map<string, { ignoreCase: boolean; clauses: Clause[] }>();
  const used = new Map<string, number>();
  for (const clause of clauses) {
    const comparison = clauseComparison(clause);
    const ignoreCase = comparison === 'substringIgnoringCase';
    if (!ignoreCase && comparison !== 'substring') continue;
    const key = `${ignoreCase} ${clause.selector}`;
    const row = used.get(key) ?? 0;
    used.set(key, row + 1);
    const scan = rows.get(`${ignoreCase} ${row}`) ?? { ignoreCase, clauses: [] };
    scan.clauses.push(clause);
    rows.set(`${ignoreCase} ${row}`, scan);
  }
  return [...rows.values()].map((scan) => makeScan(scan.ignoreCase, scan.clauses, normalize));
}

function makeScan(ignoreCase: boolean, clauses: readonly Clause[], normalize: Normalize): SubstringScan {
  const makeNeedle = (value: string): { text: string } => {
    const text = normalize(value);
    return { text: ignoreCase ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text };
  };
  return {
    ignoreCase,
    selectors: sortSelectors(clauses.map(({ selector }) => selector)),
    needles: mergeEqualItems(
      clauses.flatMap(({ selector, values }) => values.map((value) => ({ selector, item: makeNeedle(value) }))),
    ),
  };
}
