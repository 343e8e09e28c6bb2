/** Checks marks: their names and times, and whether what is tested is ever set. */
import {
  isMarkAction,
  isMarkName,
  markActions,
  MarkScopes,
  parseMarkTime,
  type MarkActionData,
} from '../model/marks.js';
import type { Hook, MarkFilter } from '../model/model.js';
import { MARK_NAME_MAX } from '../language/limits.js';
import { quote, type Report } from '../parse/report.js';
import { findNearestName } from '../parse/nearest-name.js';

const NAME_HINT = `use letters, digits, -, _ and ., at most ${MARK_NAME_MAX}; the first and the last one is a letter or digit`;

export function checkMarks(hooks: readonly Hook[], report: Report): void {
  const scopes = new MarkScopes(hooks);
  const actions = hooks.flatMap(({ selectors }) => selectors.flatMap(markActions)).map(({ data }) => data);
  const filters = hooks.flatMap(({ selectors }) => selectors.flatMap(({ matchMarks = [] }) => matchMarks));
  const set = new Set<string>();
  for (const action of actions) {
    checkAction(action, scopes, report);
    if (action.action === 'Mark' && action.mark !== undefined) set.add(key(scopes, action.mark, action));
  }
  const tested = new Set<string>();
  const names = actions.filter(({ action }) => action === 'Mark').flatMap(({ mark }) => mark ?? []);
  for (const filter of filters) {
    const { values = [] } = filter;
    values.forEach((name, i) => {
      const span = report.positions.value(values, i);
      if (!isMarkName(name))
        report.add('MARK_NAME_INVALID', span, `${quote(name)} is not the name of a mark`, NAME_HINT);
      else if (filter.shared !== true && !set.has(key(scopes, name, filter))) {
        report.add('MARK_NEVER_SET', span, neverSet(name, filter, scopes), neverSetHint(name, names, scopes));
      }
      tested.add(key(scopes, name, filter));
    });
  }
  for (const action of actions) {
    const { mark } = action;
    if (mark === undefined || !isMarkName(mark) || action.shared === true) continue;
    const span = report.positions.value(action, 'mark');
    if (action.action === 'Unmark' && !set.has(key(scopes, mark, action))) {
      report.add('MARK_NEVER_SET', span, neverSet(mark, action, scopes), neverSetHint(mark, names, scopes));
    } else if (action.action === 'Mark' && !tested.has(key(scopes, mark, action))) {
      const message = `no filter of the policy tests the mark ${quote(mark)}`;
      report.add('MARK_NEVER_TESTED', span, message, 'add matchMarks, or `shared: true` if another policy tests it');
    }
  }
}

function key(scopes: MarkScopes, name: string, user: Pick<MarkFilter, 'scope' | 'shared'> | MarkActionData): string {
  return JSON.stringify(scopes.identify(name, 'action' in user && user.action === 'Mark' ? withScope(user) : user));
}

function withScope({ scope = 'process', shared = false }: MarkActionData): Pick<MarkFilter, 'scope' | 'shared'> {
  return { scope, shared };
}

function neverSet(name: string, { scope }: Pick<MarkFilter, 'scope'>, scopes: MarkScopes): string {
  const isOther = scope !== undefined && scopes.ofName(name) !== undefined;
  return `no action of the policy sets the mark ${quote(name)}${isOther ? ` with the scope ${scope}` : ''}`;
}

function neverSetHint(name: string, names: readonly string[], scopes: MarkScopes): string {
  if (scopes.ofName(name) !== undefined) return 'use the same scope in both places';
  if (scopes.ofName(name, true) !== undefined) return 'the policy shares this mark: add `shared: true`';
  const near = findNearestName(name, names);
  const own = near === undefined ? 'add an action Mark' : `did you mean ${near}?`;
  return `${own}; for a mark that another policy sets, add \`shared: true\` in both`;
}

function checkAction(action: MarkActionData, scopes: MarkScopes, report: Report): void {
  const { positions } = report;
  const { mark, ttl } = action;
  if (mark !== undefined && !isMarkName(mark)) {
    const message = `${quote(mark)} is not the name of a mark`;
    report.add('MARK_NAME_INVALID', positions.value(action, 'mark'), message, NAME_HINT);
  }
  if (ttl !== undefined && isMarkAction(action) && parseMarkTime(ttl) === undefined) {
    const hint = 'write "500ms", "30s", "5m" or "1h"; the longest time is a year';
    report.add('MARK_TTL_INVALID', positions.value(action, 'ttl'), `${quote(ttl)} is not a valid time`, hint);
  }
  if (action.action !== 'Mark' || mark === undefined) return;
  const first = scopes.ofName(mark, action.shared);
  if (first === undefined || first === (action.scope ?? 'process')) return;
  const message = `the policy sets the mark ${quote(mark)} with the scopes ${first} and ${action.scope ?? 'process'}`;
  const span = positions.value(action, positions.hasField(action, 'scope') ? 'scope' : 'mark');
  report.add('MARK_SCOPE_AMBIGUOUS', span, message, 'use one scope, or another name');
}
