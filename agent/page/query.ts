/** The search: words, `-without`, and `field:value` for one field of an event or its process. */
import type { EventRow, ProcessRow } from '../../lib/report/row.js';

type Reader = (event: EventRow, process: ProcessRow | undefined) => readonly (string | number | undefined)[];

/** The fields by the names that people type. */
const FIELDS: Readonly<Record<string, Reader>> = {
  pid: (_, process) => [process?.pid],
  uid: (_, process) => [process?.uid],
  user: (_, process) => [process?.user],
  binary: (_, process) => [process?.binary],
  args: (_, process) => [process?.arguments],
  pod: (_, process) => [process?.pod],
  container: (_, process) => [process?.container],
  event: ({ label }) => [label],
  policy: ({ policy }) => [policy],
  message: ({ message }) => [message],
  hook: ({ hook }) => [hook],
  action: ({ actions }) => [actions],
  tag: ({ tags = [] }) => tags,
  file: ({ files = [] }) => files,
  address: ({ addresses = [] }) => addresses,
};

const FIELD_NAMES = Object.keys(FIELDS);

export type Matches = (event: EventRow, process: ProcessRow | undefined) => boolean;

/** Returns undefined for an empty search. `searchText`: everything that a word is searched in, in lower case. */
export function compileQuery(query: string, searchText: (event: EventRow) => string): Matches | undefined {
  const terms = query.toLowerCase().match(/-?\w+:"[^"]*"?|\S+/g) ?? [];
  const tests = terms.filter((term) => term !== '-').map((term) => compileTerm(term, searchText));
  return tests.length === 0 ? undefined : (event, process) => tests.every((test) => test(event, process));
}

function compileTerm(term: string, searchText: (event: EventRow) => string): Matches {
  const isNegated = term.startsWith('-');
  const [, name = '', value = ''] = /^-?(\w+):(.*)$/.exec(term) ?? [];
  const read = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  const word = isNegated ? term.slice(1) : term;
  const test = read === undefined || value === '' ? (event: EventRow) => searchText(event).includes(word) : compareField(read, value.replace(/^"|"$/g, '')); // prettier-ignore
  return (event, process) => test(event, process) !== isNegated;
}

/** A number has to be equal: `pid:17` is not 172. A text has to contain the value. */
function compareField(read: Reader, value: string): Matches {
  return (event, process) =>
    read(event, process).some((found) =>
      typeof found === 'number' ? String(found) === value : found?.toLowerCase().includes(value) === true,
    );
}

/** Maximum of suggestions, and of events that are read for them. */
const SUGGESTIONS_MAX = 30;
const READ_MAX = 20_000;

/** Returns complete searches for the last word of one: the names of fields, and the values of a field. */
export function suggestQueries(
  query: string,
  events: readonly EventRow[],
  findProcess: (event: EventRow) => ProcessRow | undefined,
): string[] {
  const [, before = '', minus = '', name = '', colon, start = ''] = /^(.*\s)?(-?)(\w*)(:"?([^"]*))?$/.exec(query) ?? [];
  if (colon === undefined) {
    return FIELD_NAMES.filter((field) => name !== '' && field.startsWith(name)).map(
      (field) => `${before}${minus}${field}:`,
    );
  }
  const read = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  const counts = new Map<string, number>();
  for (const event of read === undefined ? [] : events.slice(-READ_MAX)) {
    for (const value of read?.(event, findProcess(event)) ?? []) {
      const text = String(value ?? '');
      if (text !== '' && !text.includes('"') && text.toLowerCase().includes(start.toLowerCase()))
        counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  const values = [...counts].sort((a, b) => b[1] - a[1]).slice(0, SUGGESTIONS_MAX).map(([value]) => value); // prettier-ignore
  return values.map((value) => `${before}${minus}${name}:${/\s/.test(value) ? `"${value}"` : value}`);
}
