/** What the compiler's parts share: one filter of one selector, and small sets of selectors. */
import type { Operator } from '../vocabulary.js';

/** A filter on one value, with the selector that it belongs to. */
export interface Clause {
  readonly selector: number;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** Sorted, each once: the form in which an image names selectors. */
export function selectorSet(selectors: Iterable<number>): number[] {
  return [...new Set(selectors)].sort((a, b) => a - b);
}
