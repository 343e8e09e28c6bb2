/**
 * Compiles sets of processes, for which the base sensor keeps one bit each, and the tests of those bits.
 *
 * A path proves little: with a user namespace of its own, every process can show any file under any path. A filter that exempts
 * processes therefore tests a set of executables that are known to be the file of their path. A filter that selects processes
 * tests the path as the process sees it. The same values are then two sets.
 *
 * A selector that reports a program, and thereby keeps it from a later selector that acts, does both. It tests the path. If the
 * later selector matches as well, a test of the other set decides whether the process is exempt from it.
 */
import type { ProcessSet, ProcessTest } from '../../compiled/compiled-policy.js';
import type { BinaryFilter, PidFilter, PolicyData, SelectorData } from '../model/model.js';
import { withoutFinalNul } from '../model/values.js';
import { trustsPaths } from './actions.js';
import { shared } from './filters.js';

/** Collects the sets of all hooks of a policy. Equal sets are kept once. */
export class ProcessSets {
  readonly #byContent = new Map<string, number>();
  readonly sets: ProcessSet[] = [];
  readonly #trustsPaths: boolean;

  constructor(policy: PolicyData) {
    this.#trustsPaths = trustsPaths(policy);
  }

  /** `suppressing`: selectors that only suppress events. */
  tests(selectors: readonly SelectorData[], suppressing: readonly number[]): ProcessTest[] {
    return shared(
      selectors.flatMap((data, selector) => {
        const { matchBinaries = [], matchParentBinaries = [], matchPIDs = [] } = data;
        const binaries = (filter: BinaryFilter, parent: boolean): Omit<ProcessTest, 'selectors'> =>
          this.#test(
            binarySet(filter, !this.#trustsPaths && exempts(filter, suppressing.includes(selector))),
            filter,
            parent,
          );
        return [
          ...matchBinaries.map((filter) => ({ selector, item: binaries(filter, false) })),
          ...matchParentBinaries.map((filter) => ({ selector, item: binaries(filter, true) })),
          ...matchPIDs
            .filter(({ followForks }) => followForks === true)
            .map((filter) => ({ selector, item: this.#test(pidSet(filter), filter, false) })),
        ];
      }),
    );
  }

  /** Tests of what exempts from a later selector that acts. `sparing`: selectors that only report and come before one. */
  yields(selectors: readonly SelectorData[], sparing: readonly number[]): ProcessTest[] {
    if (this.#trustsPaths) return [];
    const tests = shared(
      sparing.flatMap((selector) => {
        const { matchBinaries = [], matchParentBinaries = [] } = selectors[selector] ?? {};
        const positive = (filters: readonly BinaryFilter[], parent: boolean): Omit<ProcessTest, 'selectors'>[] =>
          filters
            .filter(({ operator = 'In' }) => !isNegated(operator))
            .map((filter) => this.#test(binarySet(filter, true), filter, parent));
        return [...positive(matchBinaries, false), ...positive(matchParentBinaries, true)].map((item) => ({
          selector,
          item,
        }));
      }),
    );
    return tests.map((test) => ({ ...test, yields: true }));
  }

  #test(set: ProcessSet, { operator = 'In' }: { operator?: string }, parent: boolean): Omit<ProcessTest, 'selectors'> {
    return { set: this.#add(set), negate: isNegated(operator), parent };
  }

  #add(set: ProcessSet): number {
    const content = JSON.stringify(set);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    this.#byContent.set(content, this.sets.length);
    return this.sets.push(set) - 1;
  }
}

function isNegated(operator: string): boolean {
  return operator.startsWith('Not');
}

/**
 * Whether being in the set takes a process out of what the policy reports or does. This is so for a negated filter. In a
 * selector that only suppresses events it is the other way round.
 */
function exempts({ operator = 'In' }: BinaryFilter, suppresses: boolean): boolean {
  return isNegated(operator) !== suppresses;
}

function binarySet(filter: BinaryFilter, trusted: boolean): ProcessSet {
  const values = [...new Set((filter.values ?? []).map(withoutFinalNul))].sort();
  const base = filter.operator?.replace(/^Not/, '');
  return {
    equal: base === 'In' ? values : [],
    prefix: base === 'Prefix' ? values : [],
    postfix: base === 'Postfix' ? values : [],
    pids: [],
    inNamespace: false,
    follow: filter.followChildren === true,
    trusted,
  };
}

function pidSet({ values = [], isNamespacePID }: PidFilter): ProcessSet {
  const pids = [...new Set(values)].sort((a, b) => a - b);
  return {
    equal: [],
    prefix: [],
    postfix: [],
    pids,
    inNamespace: isNamespacePID === true,
    follow: true,
    trusted: false,
  };
}
