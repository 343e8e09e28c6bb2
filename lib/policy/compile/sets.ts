/**
 * Compiles sets of processes and the tests of them. The base sensor keeps one bit of each process for each set.
 *
 * A path alone is not trusted: in its own user namespace, every process can make any file appear under any path. A filter
 * that exempts processes therefore tests a trusted set, which contains only executables that are known to be the file of
 * their path. A filter that selects processes tests the path that the process sees. Equal values then give two sets.
 *
 * A selector that only reports exempts its processes from a later selector that acts. It tests the path that the process
 * sees. If the later selector matches as well, a test of the trusted set decides whether the process is exempt.
 *
 * The same is true for the id in the process's own pid namespace, which every user can create as well. A trusted set of such
 * ids contains only processes in namespaces that the initial user namespace owns.
 */
import type { ProcessSet, ProcessTest } from '../../compiled/compiled-policy.js';
import type { BinaryFilter, CmdArgFilter, PidFilter, PolicyData, SelectorData } from '../model/model.js';
import { stripFinalNul } from '../model/values.js';
import { isTrustingPaths } from './actions.js';
import { mergeEqualItems } from './filters.js';

/** Collects the sets of all hooks of a policy. Equal sets are kept once. */
export class ProcessSets {
  readonly #byContent = new Map<string, number>();
  readonly sets: ProcessSet[] = [];
  readonly #isTrustingPaths: boolean;

  constructor(policy: PolicyData) {
    this.#isTrustingPaths = isTrustingPaths(policy);
  }

  /** `suppressing`: selectors that only suppress events. */
  compileTests(selectors: readonly SelectorData[], suppressing: readonly number[]): ProcessTest[] {
    return mergeEqualItems(
      selectors.flatMap((data, selector) => {
        const { matchBinaries = [], matchParentBinaries = [], matchCmdArgs = [], matchPIDs = [] } = data;
        const suppresses = suppressing.includes(selector);
        const binaries = (filter: BinaryFilter, parent: boolean): Omit<ProcessTest, 'selectors'> =>
          this.#makeTest(
            makeBinarySet(filter, !this.#isTrustingPaths && isExempting(filter, suppresses)),
            filter,
            parent,
          );
        return [
          ...matchBinaries.map((filter) => ({ selector, item: binaries(filter, false) })),
          ...matchParentBinaries.map((filter) => ({ selector, item: binaries(filter, true) })),
          ...matchCmdArgs.map((filter) => ({
            selector,
            item: this.#makeTest(makeArgumentSet(filter, isExempting(filter, suppresses)), filter, false),
          })),
          ...matchPIDs
            .filter(({ followForks }) => followForks === true)
            .map((filter) => ({
              selector,
              item: this.#makeTest(makePidSet(filter, isExempting(filter, suppresses)), filter, false),
            })),
        ];
      }),
    );
  }

  /** Tests of the trusted sets. `reportOnly`: selectors that only report and come before one that acts. */
  compileYieldTests(selectors: readonly SelectorData[], reportOnly: readonly number[]): ProcessTest[] {
    const tests = mergeEqualItems(
      reportOnly.flatMap((selector) => {
        const { matchBinaries = [], matchParentBinaries = [], matchPIDs = [] } = selectors[selector] ?? {};
        const positive = (filters: readonly BinaryFilter[], parent: boolean): Omit<ProcessTest, 'selectors'>[] =>
          this.#isTrustingPaths
            ? []
            : filters
                .filter((filter) => !isNegated(filter))
                .map((filter) => this.#makeTest(makeBinarySet(filter, true), filter, parent));
        const pids = matchPIDs
          .filter((filter) => filter.isNamespacePID === true && !isNegated(filter))
          .map((filter) => this.#makeTest(makePidSet(filter, true), filter, false));
        return [...positive(matchBinaries, false), ...positive(matchParentBinaries, true), ...pids].map((item) => ({
          selector,
          item,
        }));
      }),
    );
    return tests.map((test) => ({ ...test, yields: true }));
  }

  #makeTest(set: ProcessSet, filter: { operator?: string }, parent: boolean): Omit<ProcessTest, 'selectors'> {
    const test = { set: this.#add(set), negate: isNegated(filter), parent };
    return test.negate && !parent && set.pids.length === 0 ? { ...test, needsExecutable: true } : test;
  }

  #add(set: ProcessSet): number {
    const content = JSON.stringify(set);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    this.#byContent.set(content, this.sets.length);
    return this.sets.push(set) - 1;
  }
}

function isNegated({ operator = 'In' }: { operator?: string }): boolean {
  return operator.startsWith('Not');
}

/**
 * True if the policy does not report or act on processes in the set. This is so for a negated filter, and in a selector
 * that only suppresses events for a filter without negation.
 */
function isExempting(filter: { operator?: string }, suppresses: boolean): boolean {
  return isNegated(filter) !== suppresses;
}

function makeBinarySet(filter: BinaryFilter, trusted: boolean): ProcessSet {
  const values = [...new Set((filter.values ?? []).map(stripFinalNul))].sort();
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

/** If `trusted`, a process whose arguments are not all known is not in the set. */
function makeArgumentSet({ index, operator, values = [] }: CmdArgFilter, trusted: boolean): ProcessSet {
  const texts = [...new Set(values.map(stripFinalNul))].sort();
  const base = operator?.replace(/^Not/, '');
  return {
    argument: index ?? 'any',
    equal: base === 'Equal' ? texts : [],
    prefix: base === 'Prefix' ? texts : [],
    postfix: base === 'Postfix' ? texts : [],
    pids: [],
    inNamespace: false,
    follow: false,
    trusted,
  };
}

/** An id in the initial pid namespace cannot be chosen, so it is always trusted. */
function makePidSet({ values = [], isNamespacePID, followForks }: PidFilter, trusted: boolean): ProcessSet {
  const pids = [...new Set(values)].sort((a, b) => a - b);
  return {
    equal: [],
    prefix: [],
    postfix: [],
    pids,
    inNamespace: isNamespacePID === true,
    follow: followForks === true,
    trusted: trusted && isNamespacePID === true,
  };
}
