/** Warns about selectors that never match, filters that always match, and selectors that an earlier one hides. */
import { HOOK_SELECTORS_MAX } from '../language/limits.js';
import { filteredArg } from '../model/arguments.js';
import { areContradictory, implies, isNumber, sameFilter } from './implies.js';
import { intervalsOf, isWhole } from '../model/intervals.js';
import {
  FILTER_LISTS,
  type ArgData,
  type Hook,
  type PidFilter,
  type SelectorData,
  type ValueFilter,
} from '../model/model.js';
import type { Report } from '../parse/report.js';
import { ARG_TYPES, type TypeFacts } from '../language/vocabulary.js';

/** A filter together with the value that it compares. */
interface Aimed {
  /** The operator, the values and `inode` only. */
  readonly filter: ValueFilter;
  /** The filter as it is written in the policy. */
  readonly at: ValueFilter | PidFilter;
  /** The value that is compared, such as `arg 1` or `return`. */
  readonly target: string;
  readonly facts: TypeFacts;
}

const PID_FACTS: TypeFacts = { class: 'unsigned', bits: 32 };

export function checkSelectors(hook: Hook, report: Report): void {
  // A hook with more selectors is refused anyway, and it would take long to compare all of them with each other.
  const selectors = hook.selectors.slice(0, HOOK_SELECTORS_MAX);
  const aimed = selectors.map((selector) => aim(hook, selector));
  selectors.forEach((selector, i) => {
    const filters = aimed[i] ?? [];
    warnNever(selector, filters, report);
    for (const aim of filters) warnAlways(aim, report);
    const hiding = selectors.findIndex((earlier, j) => j < i && hides(earlier, aimed[j] ?? [], selector, filters));
    if (hiding < 0) return;
    const message = `selector ${i} is never reached: everything that it matches is matched by selector ${hiding} first`;
    report.add(
      'SELECTOR_SHADOWED',
      report.places.value(selector),
      message,
      `move it before selector ${hiding}, or remove it`,
    );
  });
}

function aim(hook: Hook, selector: SelectorData): Aimed[] {
  const { args = [], returnArg } = hook.data;
  const aimed: Aimed[] = [];
  const add = (filter: ValueFilter, target: string, arg: ArgData | undefined): void => {
    if (arg?.type !== undefined)
      aimed.push({ filter: withoutPlace(filter), at: filter, target, facts: ARG_TYPES[arg.type] });
  };
  for (const filter of selector.matchArgs ?? []) {
    if (filter.operator === 'CelExpr') {
      aimed.push({ filter: withoutPlace(filter), at: filter, target: 'expression', facts: { class: 'opaque' } });
      continue;
    }
    const found = filteredArg(hook, args, filter);
    if ((filter.args?.length ?? 0) <= 1) add(filter, `arg ${found?.position}`, found?.arg);
  }
  for (const filter of selector.matchReturnArgs ?? []) add(filter, 'return', returnArg);
  for (const pids of selector.matchPIDs ?? []) {
    const { operator, values = [] } = pids;
    if (pids.followForks === true || pids.isNamespacePID === true) continue;
    const filter: ValueFilter = { operator: operator === 'NotIn' ? 'NotEqual' : 'Equal', values: values.map(String) };
    aimed.push({ filter, at: pids, target: 'pid', facts: PID_FACTS });
  }
  return aimed;
}

function warnNever(selector: SelectorData, filters: readonly Aimed[], report: Report): void {
  for (const target of new Set(filters.map((aimed) => aimed.target))) {
    const own = filters.filter((aimed) => aimed.target === target);
    const [first] = own;
    if (
      first === undefined ||
      !areContradictory(
        own.map((aimed) => aimed.filter),
        first.facts,
      )
    )
      continue;
    const what =
      target === 'pid' ? 'matchPIDs' : target === 'return' ? 'matchReturnArgs' : `argument ${target.slice(4)}`;
    const message = `this selector never matches: no value passes its filters on ${what}`;
    report.add(
      'SELECTOR_NEVER_MATCHES',
      report.places.value(selector),
      message,
      'all filters of a selector must match; write alternatives as values of one filter, or as several selectors',
    );
  }
}

function warnAlways({ filter, at, facts }: Aimed, report: Report): void {
  if (!isNumber(facts)) return;
  const intervals = intervalsOf(filter, facts);
  if (intervals === undefined || !isWhole(intervals, facts)) return;
  report.add(
    'FILTER_ALWAYS_MATCHES',
    report.places.value(at),
    'this filter has no effect: every value passes it',
    'remove it, or correct its values',
  );
}

/** True if the earlier selector hides the later one: a filter of the later one implies each filter of the earlier. */
function hides(
  earlier: SelectorData,
  earlierAimed: readonly Aimed[],
  later: SelectorData,
  laterAimed: readonly Aimed[],
): boolean {
  if (earlier.matchWorkloads !== undefined) return false;
  for (const list of FILTER_LISTS) {
    if (list === 'matchArgs' || list === 'matchReturnArgs') continue;
    for (const filter of earlier[list] ?? []) {
      const isPid = list === 'matchPIDs' && earlierAimed.some((aimed) => aimed.target === 'pid');
      if (!isPid && !(later[list] ?? []).some((other) => sameFilter(filter, other))) return false;
    }
  }
  // A filter whose argument was not found is broken, so its selector cannot be judged.
  const written = (earlier.matchArgs ?? []).length + (earlier.matchReturnArgs ?? []).length;
  if (written !== earlierAimed.filter((aimed) => aimed.target !== 'pid').length) return false;
  return earlierAimed.every(({ filter, target, facts }) =>
    laterAimed.some((other) => other.target === target && implies(other.filter, filter, facts)),
  );
}

/**
 * The filter without the name of its argument. The arguments are compared separately, because a filter can name one in
 * several ways.
 */
function withoutPlace({ operator, values, inode }: ValueFilter): ValueFilter {
  return {
    ...(operator === undefined ? {} : { operator }),
    ...(values === undefined ? {} : { values }),
    ...(inode === true ? { inode } : {}),
  };
}
