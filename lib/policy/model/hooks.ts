/** Collects the hooks of a policy for the checks and the compiler, with the filters of macros merged into selectors. */
import { SELECTOR_FILTERS_MAX } from '../language/limits.js';
import { FILTER_LISTS, type Hook, type PolicyData, type SelectorData, type ValueFilter } from './model.js';
import type { Positions } from '../parse/positions.js';
import type { Report } from '../parse/report.js';
import { HOOK_KINDS } from '../language/vocabulary.js';
import { withDuration } from './duration.js';

/** Has no prototype, so that there is no macro with the name `constructor`. */
const NO_MACROS = Object.freeze(Object.create(null) as Record<string, SelectorData>);

export function policyMacros({ spec }: PolicyData): Readonly<Record<string, SelectorData>> {
  return spec?.selectorsMacros ?? NO_MACROS;
}

export function collectHooks(policy: PolicyData, report: Report): Hook[] {
  const { spec } = policy;
  if (spec === undefined) return [];
  const macros = policyMacros(policy);
  return HOOK_KINDS.flatMap((kind) =>
    (spec[kind] ?? []).map((data) => {
      const selectors = (data.selectors ?? []).map((each) => limitFilters(mergeMacros(each, macros, report), report));
      return withDuration({ kind, data, selectors }, report);
    }),
  );
}

/** Puts the selector's own filters first, then the filters of its macros in their order. */
function mergeMacros(
  selector: SelectorData,
  macros: Readonly<Record<string, SelectorData>>,
  report: Report,
): SelectorData {
  const names = [...new Set(selector.macros)].filter((name) => macros[name] !== undefined);
  const own = withExpressionFilter(selector, report);
  if (names.length === 0) return own;
  const from = [own, ...names.map((name) => withExpressionFilter(macros[name] as SelectorData, report))];
  const merged: Record<string, unknown> = { ...own };
  for (const list of FILTER_LISTS) {
    const all = from.flatMap((source): readonly object[] => (source[list] ?? []).slice(0, SELECTOR_FILTERS_MAX + 1));
    if (all.length > 0) merged[list] = all;
  }
  const duration = from.find((source) => source.matchDuration !== undefined)?.matchDuration;
  if (duration !== undefined) merged['matchDuration'] = duration;
  const workload = from.find((source) => source.matchWorkloads !== undefined)?.matchWorkloads;
  if (workload !== undefined) merged['matchWorkloads'] = workload;
  report.positions.copy(selector, merged);
  return merged;
}

/** The filters of expressions, so that the filter of a macro is one object in all selectors that use the macro. */
const expressionFilters = new WeakMap<object, ValueFilter>();

/** Adds the expression of `matchCEL` to matchArgs. */
function withExpressionFilter(selector: SelectorData, { positions }: Report): SelectorData {
  const { matchCEL } = selector;
  if (matchCEL?.expr === undefined) return selector;
  const filter = expressionFilters.get(matchCEL) ?? makeExpressionFilter(matchCEL, matchCEL.expr, positions);
  const matchArgs = [...(selector.matchArgs ?? []), filter];
  const result = { ...selector, matchArgs };
  positions.copy(selector, result);
  if (selector.matchArgs !== undefined) positions.copy(selector.matchArgs, matchArgs);
  return result;
}

/** Diagnostics of the filter and of its value are at the expression. */
function makeExpressionFilter(matchCEL: object, expression: string, positions: Positions): ValueFilter {
  const values = [expression];
  const filter: ValueFilter = { operator: 'CelExpr', values, fromMatchCel: true };
  const span = positions.value(matchCEL, 'expr');
  positions.register(values, { span, keys: new Map(), absent: new Set(), values: new Map([[0, span]]) });
  positions.register(filter, { span, keys: new Map(), absent: new Set(), values: new Map([['values', span]]) });
  expressionFilters.set(matchCEL, filter);
  return filter;
}

/**
 * Refuses a selector with too many filters, and continues without its filters. Macros could multiply them without
 * limit.
 */
function limitFilters(selector: SelectorData, report: Report): SelectorData {
  const count = FILTER_LISTS.reduce((sum, list) => sum + (selector[list]?.length ?? 0), 0);
  if (count <= SELECTOR_FILTERS_MAX) return selector;
  const message = `a selector can have at most ${SELECTOR_FILTERS_MAX} filters, including those of its macros`;
  const hint = 'write alternatives as values of one filter, or as several selectors';
  report.add('LIMIT_FILTERS', report.positions.value(selector), message, hint);
  const rest = Object.entries(selector).filter(([key]) => !(FILTER_LISTS as readonly string[]).includes(key));
  const empty = Object.fromEntries(rest) as SelectorData;
  report.positions.copy(selector, empty);
  return empty;
}
