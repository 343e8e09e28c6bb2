/** Warns about selectors that never match, filters that always match, and selectors that an earlier one shadows. */
import { HOOK_SELECTORS_MAX } from '../language/limits.js';
import { findFilteredArg } from '../model/arguments.js';
import { areContradictory, coverEverything, implies, isIntegerType, isSameFilter } from './implication.js';
import { filterIntervals, isFullRange } from '../model/intervals.js';
import {
  FILTER_LISTS,
  type ArgData,
  type BinaryFilter,
  type Hook,
  type PidFilter,
  type SelectorData,
  type ValueFilter,
} from '../model/model.js';
import type { Report } from '../parse/report.js';
import { ARG_TYPES, operatorRule, type Operator, type TypeFacts } from '../language/vocabulary.js';

/** A filter with the value that it compares. */
interface TargetedFilter {
  /** Operator, values and `inode` of the filter. */
  readonly filter: ValueFilter;
  /** The filter as it is written in the policy. */
  readonly source: ValueFilter | PidFilter | BinaryFilter;
  /** The value that is compared, such as `arg 1` or `return`. */
  readonly target: string;
  readonly facts: TypeFacts;
}

const PID_TYPE: TypeFacts = { class: 'unsigned', bits: 32 };

export function checkReachability(hook: Hook, report: Report): void {
  // A hook with more selectors is refused, and comparing all of them would take long.
  const selectors = hook.selectors.slice(0, HOOK_SELECTORS_MAX);
  const targeted = selectors.map((selector) => collectFilters(hook, selector));
  selectors.forEach((selector, i) => {
    const filters = targeted[i] ?? [];
    warnNeverMatches(selector, filters, report);
    for (const filter of filters) warnAlwaysMatches(filter, report);
    if (warnComplements(selectors, targeted, i, report)) return;
    const shadowing = selectors.findIndex(
      (earlier, j) => j < i && shadows(earlier, targeted[j] ?? [], selector, filters),
    );
    if (shadowing < 0) return;
    const message = `selector ${i} is never reached: everything that it matches is matched by selector ${shadowing} first`;
    report.add(
      'SELECTOR_SHADOWED',
      report.positions.value(selector),
      message,
      `move it before selector ${shadowing}, or remove it`,
    );
  });
}

function collectFilters(hook: Hook, selector: SelectorData): TargetedFilter[] {
  const { args = [], returnArg } = hook.data;
  const filters: TargetedFilter[] = [];
  const addFilter = (filter: ValueFilter, target: string, arg: ArgData | undefined): void => {
    if (arg?.type !== undefined)
      filters.push({ filter: withoutTarget(filter), source: filter, target, facts: ARG_TYPES[arg.type] });
  };
  for (const filter of selector.matchArgs ?? []) {
    if (filter.operator !== undefined && operatorRule(filter.operator).compares === 'named') {
      filters.push({ filter: withoutTarget(filter), source: filter, target: 'expression', facts: { class: 'opaque' } });
      continue;
    }
    const found = findFilteredArg(hook, args, filter);
    if ((filter.args?.length ?? 0) <= 1) addFilter(filter, `arg ${found?.position}`, found?.arg);
  }
  for (const filter of selector.matchReturnArgs ?? []) addFilter(filter, 'return', returnArg);
  for (const pids of selector.matchPIDs ?? []) {
    const { operator, values = [] } = pids;
    if (pids.followForks === true || pids.isNamespacePID === true) continue;
    const filter: ValueFilter = { operator: operator === 'NotIn' ? 'NotEqual' : 'Equal', values: values.map(String) };
    filters.push({ filter, source: pids, target: 'pid', facts: PID_TYPE });
  }
  return filters;
}

function warnNeverMatches(selector: SelectorData, filters: readonly TargetedFilter[], report: Report): void {
  for (const target of new Set(filters.map((filter) => filter.target))) {
    const sameTarget = filters.filter((filter) => filter.target === target);
    const [first] = sameTarget;
    if (
      first === undefined ||
      !areContradictory(
        sameTarget.map(({ filter }) => filter),
        first.facts,
      )
    )
      continue;
    const what =
      target === 'pid' ? 'matchPIDs' : target === 'return' ? 'matchReturnArgs' : `argument ${target.slice(4)}`;
    const message = `this selector never matches: no value passes its filters on ${what}`;
    report.add(
      'SELECTOR_NEVER_MATCHES',
      report.positions.value(selector),
      message,
      'all filters of a selector must match; write alternatives as values of one filter, or as several selectors',
    );
  }
}

function warnAlwaysMatches({ filter, source, facts }: TargetedFilter, report: Report): void {
  if (!isIntegerType(facts)) return;
  const intervals = filterIntervals(filter, facts);
  if (intervals === undefined || !isFullRange(intervals, facts)) return;
  report.add(
    'FILTER_ALWAYS_MATCHES',
    report.positions.value(source),
    'this filter has no effect: every value passes it',
    'remove it, or correct its values',
  );
}

/**
 * Warns about two selectors of which one matches every call, such as `NotEqual 1` and `NotEqual 2`: people often mean
 * both. Selectors with different actions divide the calls on purpose.
 */
function warnComplements(
  selectors: readonly SelectorData[],
  targeted: readonly (readonly TargetedFilter[])[],
  later: number,
  report: Report,
): boolean {
  const own = soleFilter(selectors[later] ?? {}, targeted[later] ?? []);
  if (own === undefined) return false;
  const earlier = selectors.findIndex((selector, i) => {
    if (i >= later || !haveSameActions(selector, selectors[later] ?? {})) return false;
    const other = soleFilter(selector, targeted[i] ?? []);
    return other?.target === own.target && coverEverything(other.filter, own.filter, own.facts);
  });
  if (earlier < 0) return false;
  report.add(
    'SELECTORS_ALWAYS_MATCH',
    report.positions.value(selectors[later] ?? {}),
    `selectors ${earlier} and ${later} together match everything: selectors are alternatives`,
    'write all values in one filter, or both filters in one selector',
  );
  return true;
}

/** The filter of a selector that has only one. */
function soleFilter(selector: SelectorData, filters: readonly TargetedFilter[]): TargetedFilter | undefined {
  const count = FILTER_LISTS.reduce((sum, list) => sum + (selector[list]?.length ?? 0), 0);
  if (count !== 1 || selector.matchWorkloads !== undefined) return undefined;
  const [binaries] = selector.matchBinaries ?? [];
  return binaries === undefined ? filters[0] : binariesFilter(binaries);
}

function binariesFilter(source: BinaryFilter): TargetedFilter | undefined {
  const { operator, values = [], followChildren } = source;
  if (operator === undefined || followChildren === true) return undefined;
  const compared: Operator = operator === 'In' ? 'Equal' : operator === 'NotIn' ? 'NotEqual' : operator;
  const filter = { operator: compared, values };
  return { filter, source, target: 'matchBinaries', facts: ARG_TYPES.file };
}

function haveSameActions(a: SelectorData, b: SelectorData): boolean {
  return (['matchActions', 'matchReturnActions'] as const).every((list) => {
    const [own, other] = [a[list] ?? [], b[list] ?? []];
    return own.length === other.length && own.every(({ action }, i) => action === other[i]?.action);
  });
}

/** True if the earlier selector matches everything that the later one matches: each of its filters is implied. */
function shadows(
  earlier: SelectorData,
  earlierFilters: readonly TargetedFilter[],
  later: SelectorData,
  laterFilters: readonly TargetedFilter[],
): boolean {
  if (earlier.matchWorkloads !== undefined) return false;
  for (const list of FILTER_LISTS) {
    if (list === 'matchArgs' || list === 'matchReturnArgs') continue;
    for (const filter of earlier[list] ?? []) {
      const isPid = list === 'matchPIDs' && earlierFilters.some((each) => each.target === 'pid');
      if (!isPid && !(later[list] ?? []).some((other) => isSameFilter(filter, other))) return false;
    }
  }
  // If the argument of a filter was not found, nothing is known about its selector.
  const written = (earlier.matchArgs ?? []).length + (earlier.matchReturnArgs ?? []).length;
  if (written !== earlierFilters.filter((each) => each.target !== 'pid').length) return false;
  return earlierFilters.every(({ filter, target, facts }) =>
    laterFilters.some((other) => other.target === target && implies(other.filter, filter, facts)),
  );
}

/**
 * Returns the filter without `index` and `args`. Arguments are compared separately, because a filter can name one in
 * several ways.
 */
function withoutTarget({ operator, values, inode }: ValueFilter): ValueFilter {
  return {
    ...(operator === undefined ? {} : { operator }),
    ...(values === undefined ? {} : { values }),
    ...(inode === true ? { inode } : {}),
  };
}
