/** Helpers of all parts of the compiler: one filter of one selector, and lists of selectors. */
import type { PolicyData, ValueFilter } from '../model/model.js';
import type { Architecture } from '../../names/syscalls.js';
import type { Report } from '../parse/report.js';
import { isNegatedOperator, positiveOperator, type Operator, type PositiveOperator } from '../language/vocabulary.js';

/** A filter on one value, together with the selector that it belongs to. */
export interface Clause {
  readonly selector: number;
  readonly operator: Operator;
  readonly values: readonly string[];
  /** The filter as it is written in the policy. */
  readonly filter: ValueFilter;
}

/** The inputs of the compiler that are the same for all filters of a policy. */
export interface Context {
  readonly policy: PolicyData;
  readonly architecture: Architecture;
  readonly report: Report;
}

export function makeClause(selector: number, filter: ValueFilter): Clause {
  return { selector, operator: filter.operator ?? 'Equal', values: filter.values ?? [], filter };
}

/** The operator without its negation. `O`: the operators that filters on such a value have. The checks refuse others. */
export function baseOperator<O extends PositiveOperator>({ operator }: Clause): O {
  return positiveOperator(operator) as O;
}

export function isNegatedClause({ operator }: Clause): boolean {
  return isNegatedOperator(operator);
}

/** Compiled policies list selectors in this form: sorted and without duplicates. */
export function sortSelectors(selectors: Iterable<number>): number[] {
  return [...new Set(selectors)].sort((a, b) => a - b);
}

/** Merges equal items: each item appears once, with all selectors that have it. */
export function mergeEqualItems<T>(items: readonly { readonly selector: number; readonly item: T }[]): (T & {
  readonly selectors: number[];
})[] {
  const found = new Map<string, { item: T; selectors: number[] }>();
  for (const { selector, item } of items) {
    const key = JSON.stringify(item, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    const entry = found.get(key) ?? { item, selectors: [] };
    entry.selectors.push(selector);
    found.set(key, entry);
  }
  return [...found.values()].map(({ item, selectors }) => ({ ...item, selectors: sortSelectors(selectors) }));
}
