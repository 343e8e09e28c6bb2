/** Compiles sets of processes, for which the base sensor keeps one bit each, and the tests of those bits. */
import type { ProcessSet, ProcessTest } from '../../image/image.js';
import type { BinaryFilter, PidFilter, SelectorData } from '../model/model.js';
import { withoutFinalNul } from '../model/values.js';
import { shared } from './filters.js';

/** Collects the sets of all hooks of a policy. Equal sets are kept once. */
export class ProcessSets {
  readonly #byContent = new Map<string, number>();
  readonly sets: ProcessSet[] = [];

  tests(selectors: readonly SelectorData[]): ProcessTest[] {
    return shared(
      selectors.flatMap(({ matchBinaries = [], matchParentBinaries = [], matchPIDs = [] }, selector) => [
        ...matchBinaries.map((filter) => ({ selector, item: this.#test(binarySet(filter), filter, false) })),
        ...matchParentBinaries.map((filter) => ({ selector, item: this.#test(binarySet(filter), filter, true) })),
        ...matchPIDs
          .filter(({ followForks }) => followForks === true)
          .map((filter) => ({ selector, item: this.#test(pidSet(filter), filter, false) })),
      ]),
    );
  }

  #test(set: ProcessSet, { operator = 'In' }: { operator?: string }, parent: boolean): Omit<ProcessTest, 'selectors'> {
    return { set: this.#add(set), negate: operator.startsWith('Not'), parent };
  }

  #add(set: ProcessSet): number {
    const content = JSON.stringify(set);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    this.#byContent.set(content, this.sets.length);
    return this.sets.push(set) - 1;
  }
}

function binarySet(filter: BinaryFilter): ProcessSet {
  const values = [...new Set((filter.values ?? []).map(withoutFinalNul))].sort();
  const base = filter.operator?.replace(/^Not/, '');
  return {
    equal: base === 'In' ? values : [],
    prefix: base === 'Prefix' ? values : [],
    postfix: base === 'Postfix' ? values : [],
    pids: [],
    inNamespace: false,
    follow: filter.followChildren === true,
  };
}

function pidSet({ values = [], isNamespacePID }: PidFilter): ProcessSet {
  const pids = [...new Set(values)].sort((a, b) => a - b);
  return { equal: [], prefix: [], postfix: [], pids, inNamespace: isNamespacePID === true, follow: true };
}
