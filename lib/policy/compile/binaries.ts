/** Filters on the binary of the process: sets that the base sensor keeps a bit for, and tests of those bits. */
import type { BinarySet, BinaryTest } from '../image.js';
import type { BinaryFilter } from '../model.js';
import { withoutFinalNul } from '../values.js';
import { selectorSet } from './filters.js';

export interface BinaryClause {
  readonly selector: number;
  readonly filter: BinaryFilter;
}

/** Collects the sets of all hooks of a policy; equal ones are one. */
export class BinarySets {
  readonly #byContent = new Map<string, number>();
  readonly sets: BinarySet[] = [];

  tests(clauses: readonly BinaryClause[]): BinaryTest[] {
    const found = new Map<string, { set: number; negate: boolean; selectors: number[] }>();
    for (const { selector, filter } of clauses) {
      const negate = filter.operator?.startsWith('Not') ?? false;
      const set = this.#add(binarySet(filter));
      const key = `${set} ${negate}`;
      const test = found.get(key) ?? { set, negate, selectors: [] };
      test.selectors.push(selector);
      found.set(key, test);
    }
    return [...found.values()].map((test) => ({ ...test, selectors: selectorSet(test.selectors) }));
  }

  #add(set: BinarySet): number {
    const content = JSON.stringify(set);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    this.#byContent.set(content, this.sets.length);
    return this.sets.push(set) - 1;
  }
}

function binarySet(filter: BinaryFilter): BinarySet {
  const values = [...new Set((filter.values ?? []).map(withoutFinalNul))].sort((a, b) => (a < b ? -1 : 1));
  const base = filter.operator?.replace(/^Not/, '');
  return {
    equal: base === 'In' ? values : [],
    prefix: base === 'Prefix' ? values : [],
    postfix: base === 'Postfix' ? values : [],
  };
}
