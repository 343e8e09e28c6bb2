/** What the compiler's parts share: one filter of one selector, and small sets of selectors. */
import type { PolicyData, ValueFilter } from '../model/model.js';
import type { Architecture } from '../../names/syscalls.js';
import type { Report } from '../parse/report.js';
import { NEGATED, type Operator } from '../language/vocabulary.js';

/** A filter on one value, with the selector that it belongs to. */
export interface Clause {
  readonly selector: number;
  readonly operator: Operator;
  readonly values: readonly string[];
  /** As it stands in the policy. */
  readonly filter: ValueFilter;
}

/** What is the same for all of a policy. */
export interface Context {
  readonly policy: PolicyData;
  readonly architecture: Architecture;
  readonly report: Report;
}

export function clauseOf(selector: number, filter: ValueFilter): Clause {
  return { selector, operator: filter.operator ?? 'Equal', values: filter.values ?? [], filter };
}

/** The operator without its negation. */
export function baseOf({ operator }: Clause): Operator {
  return NEGATED[operator] ?? operator;
}

export function isNegated({ operator }: Clause): boolean {
  return NEGATED[operator] !== undefined;
}

/** Sorted, each once: the form in which an image names selectors. */
export function selectorSet(selectors: Iterable<number>): number[] {
  return [...new Set(selectors)].sort((a, b) => a - b);
}

/** Things that several selectors have in common, each once, with the selectors that have it. */
export function shared<T>(items: readonly { readonly selector: number; readonly item: T }[]): (T & {
  readonly selectors: number[];
})[] {
  const found = new Map<string, { item: T; selectors: number[] }>();
  for (const { selector, item } of items) {
    const key = JSON.stringify(item, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    const entry = found.get(key) ?? { item, selectors: [] };
    entry.selectors.push(selector);
    found.set(key, entry);
  }
  return [...found.values()].map(({ item, selectors }) => ({ ...item, selectors: selectorSet(selectors) }));
}
