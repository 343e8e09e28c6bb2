/** The rows of the tables in this folder: differences between polytrace and Tetragon that a policy can show. */
import type { Analysis } from '../analyse.js';
import type { ArgData, Hook, SelectorData, ValueFilter } from '../model/model.js';
import { findFilteredSlots, type FilterList } from '../model/slots.js';
import { ARG_TYPES, COMPARED_AS, type ValueClass } from '../language/vocabulary.js';
import type { DiagnosticCode } from '../parse/codes.js';
import type { Span } from '../parse/positions.js';

export type DifferenceCode = Extract<DiagnosticCode, `TETRAGON_${string}`>;

export type ComparedPolicy = Pick<Analysis, 'data' | 'hooks' | 'positions'>;

/** A difference, and how to find its places in a policy. */
export interface Difference {
  readonly code: DifferenceCode;
  /** Says what Tetragon does, and then what polytrace does. */
  readonly message: string;
  /** How to write a policy that means the same in both, or what to expect. */
  readonly hint: string;
  readonly find: (policy: ComparedPolicy) => readonly Span[];
}

export type DifferenceTable = Readonly<Record<string, Difference>>;

export interface PlacedSelector {
  readonly hook: Hook;
  readonly selector: SelectorData;
}

/** Returns all selectors of the policy. The filters of macros are among theirs. */
export function listSelectors({ hooks }: ComparedPolicy): PlacedSelector[] {
  return hooks.flatMap((hook) => hook.selectors.map((selector) => ({ hook, selector })));
}

export interface PlacedFilter extends PlacedSelector {
  readonly list: FilterList;
  readonly filter: ValueFilter;
  /** The first value that the filter compares. Absent if the hook has no such value. */
  readonly arg?: ArgData;
}

/** Returns all filters on values. */
export function listFilters(policy: ComparedPolicy): PlacedFilter[] {
  return listSelectors(policy).flatMap(({ hook, selector }) =>
    (['matchArgs', 'matchData', 'matchReturnArgs'] as const).flatMap((list) =>
      (selector[list] ?? []).map((filter): PlacedFilter => {
        const arg = findFilteredSlots(hook, list, filter)[0]?.arg;
        return { hook, selector, list, filter, ...(arg === undefined ? {} : { arg }) };
      }),
    ),
  );
}

/** Returns the places of the filters on values for which the test holds. */
export function filterSpans(policy: ComparedPolicy, test: (filter: PlacedFilter) => boolean): Span[] {
  return listFilters(policy)
    .filter(test)
    .map(({ filter }) => policy.positions.value(filter, 'operator'));
}

/** How filters compare the value, such as `number`. */
export function comparison({ arg }: PlacedFilter): (typeof COMPARED_AS)[ValueClass] {
  return COMPARED_AS[ARG_TYPES[arg?.type ?? 'auto'].class];
}
