/** Compiles matchMarks, Mark and Unmark. Each mark of the policy has a number. */
import type { CompiledHook, CompiledMark, MarkChange, MarkTest } from '../../compiled/compiled-policy.js';
import { MARK_ACTIONS_MAX, MARK_GROUPS_MAX } from '../language/limits.js';
import { markActions, MarkScopes, parseMarkTime, type MarkIdentity } from '../model/marks.js';
import type { Hook } from '../model/model.js';
import type { Report } from '../parse/report.js';

/** Collects the marks of all hooks of a policy. */
export class Marks {
  readonly #scopes: MarkScopes;
  readonly #numbers = new Map<string, number>();
  readonly marks: CompiledMark[] = [];

  constructor(hooks: readonly Hook[]) {
    this.#scopes = new MarkScopes(hooks);
  }

  compileHook(hook: Hook, report: Report): Pick<CompiledHook, 'markTests' | 'markChanges'> {
    const tests = this.#compileTests(hook, report);
    const changes = this.#compileChanges(hook);
    if (changes.length > MARK_ACTIONS_MAX) {
      const message = `this hook has ${changes.length} different actions Mark and Unmark; at most ${MARK_ACTIONS_MAX} are allowed`;
      report.add('LIMIT_MARKS', report.positions.key(hook.data, 'selectors'), message, 'split the hook into two');
    }
    return {
      ...(tests.length === 0 ? {} : { markTests: tests }),
      ...(changes.length === 0 ? {} : { markChanges: changes }),
    };
  }

  #number(mark: MarkIdentity): number {
    const key = JSON.stringify([mark.name, mark.container, mark.shared]);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.marks.length);
    return this.marks.push(mark) - 1;
  }

  #compileTests({ selectors }: Hook, report: Report): MarkTest[] {
    const tests = new Map<number, { in: number[][]; notIn: number[] }>();
    selectors.forEach(({ matchMarks = [] }, selector) => {
      const groups = matchMarks.filter(({ operator }) => operator !== 'NotIn');
      const extra = groups[MARK_GROUPS_MAX];
      if (extra !== undefined) {
        const message = `a selector has at most ${MARK_GROUPS_MAX} filters of matchMarks with In`;
        report.add('LIMIT_MARKS', report.positions.value(extra), message, 'split the selector, or use fewer filters');
      }
      for (const filter of matchMarks) {
        for (const name of filter.values ?? []) {
          const number = this.#number(this.#scopes.identify(name, filter));
          const test = tests.get(number) ?? { in: [], notIn: [] };
          tests.set(number, test);
          const list = filter.operator === 'NotIn' ? test.notIn : group(test.in, groups.indexOf(filter));
          if (!list.includes(selector)) list.push(selector);
        }
      }
    });
    return [...tests].map(([mark, test]) => {
      const { name = '', container } = this.marks[mark] ?? {};
      return { mark, name, ...(container === undefined ? {} : { container }), ...test };
    });
  }

  /** Equal actions of several selectors become one. Their order within a selector stays the same. */
  #compileChanges({ selectors }: Hook): MarkChange[] {
    const changes: (MarkChange & { selectors: number[] })[] = [];
    selectors.forEach((data, selector) => {
      let from = 0;
      for (const { data: action, onReturn } of markActions(data)) {
        const change = this.#compileChange(action, onReturn);
        const same = changes.findIndex((each, i) => i >= from && isSameChange(each, change));
        if (same < 0) from = changes.push({ ...change, selectors: [selector] });
        else {
          changes[same]?.selectors.push(selector);
          from = same + 1;
        }
      }
    });
    return changes;
  }

  #compileChange(
    { action, mark = '', ttl, inherit = true, scope, shared }: ReturnType<typeof markActions>[number]['data'],
    onReturn: boolean,
  ): Omit<MarkChange, 'selectors'> {
    const owner = action === 'Mark' ? (scope ?? 'process') : scope;
    const identity = this.#scopes.identify(mark, {
      ...(owner === undefined ? {} : { scope: owner }),
      ...(shared === undefined ? {} : { shared }),
    });
    const time = ttl === undefined ? undefined : parseMarkTime(ttl);
    return {
      action: action === 'Mark' ? 'mark' : 'unmark',
      mark: this.#number(identity),
      ...(identity.container === undefined ? {} : { container: identity.container }),
      ...(time === undefined ? {} : { ttl: time }),
      inherits: inherit,
      ...(onReturn ? { onReturn: true } : {}),
    };
  }
}

function group(groups: number[][], index: number): number[] {
  while (groups.length <= index) groups.push([]);
  return groups[index] as number[];
}

type Change = Omit<MarkChange, 'selectors'>;

function isSameChange(a: Change, b: Change): boolean {
  return (
    a.action === b.action &&
    a.mark === b.mark &&
    a.ttl === b.ttl &&
    a.inherits === b.inherits &&
    a.onReturn === b.onReturn
  );
}
