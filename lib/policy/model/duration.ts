/**
 * The duration of a call, from its entry to its return. It is a value of `data` with the source `duration`. A hook that
 * filters or counts durations without having that value gets it here, as the last value of `data`.
 */
import { hasReturn } from '../language/vocabulary.js';
import type { ArgData, Hook, HookData, SelectorData, ValueFilter } from './model.js';
import type { Positions } from '../parse/positions.js';
import type { Report } from '../parse/report.js';

const UNIT_NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
};

/** Nanoseconds of a time such as `10ms`; undefined if it is not one. */
export function parseDuration(text: string): bigint | undefined {
  const [, number, unit] = /^(\d{1,12})(ns|us|ms|s|m)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  return BigInt(number) * (UNIT_NANOSECONDS[unit] ?? 1n);
}

/** The first part of the hook that needs the duration. */
function findUser(selectors: readonly SelectorData[]): object | undefined {
  for (const { matchDuration, matchActions = [] } of selectors) {
    if (matchDuration !== undefined) return matchDuration;
    const counting = matchActions.find(({ action, value }) => action === 'Count' && value === 'duration');
    if (counting !== undefined) return counting;
  }
  return undefined;
}

/** Adds the value to a hook that needs it, and makes filters on it of `matchDuration`. */
export function withDuration(hook: Hook, { positions }: Report): Hook {
  const { kind, data, selectors } = hook;
  const user = findUser(selectors);
  if (user === undefined || !hasReturn(kind)) return hook;
  const own = data.data ?? [];
  const position = own.findIndex(({ source }) => source === 'duration');
  const index = position < 0 ? own.length : position;
  return {
    kind,
    data: position < 0 ? addValue(data, own, user, positions) : data,
    selectors: selectors.map((selector) => addFilter(selector, index, positions)),
  };
}

/** Diagnostics about the value are at the part of the policy that needs it. */
function addValue(data: HookData, own: readonly ArgData[], user: object, positions: Positions): HookData {
  const value: ArgData = { index: 0, type: 'uint64', label: 'duration', source: 'duration' };
  const values = [...own, value];
  const result = { ...data, data: values };
  positions.copy(user, value);
  positions.copy(data.data ?? data, values);
  positions.copy(data, result);
  return result;
}

function addFilter(selector: SelectorData, index: number, positions: Positions): SelectorData {
  const { matchDuration, matchData = [] } = selector;
  const nanoseconds = (matchDuration?.values ?? []).flatMap((text) => parseDuration(text) ?? []);
  if (matchDuration?.operator === undefined || nanoseconds.length === 0) return selector;
  const values = nanoseconds.map(String);
  const filter: ValueFilter = { index, operator: matchDuration.operator, values };
  const filters = [...matchData, filter];
  const result = { ...selector, matchData: filters };
  positions.copy(matchDuration.values ?? matchDuration, values);
  positions.copy(matchDuration, filter);
  positions.copy(selector.matchData ?? selector, filters);
  positions.copy(selector, result);
  return result;
}
