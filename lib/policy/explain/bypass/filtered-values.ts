/** Lists the filters of a selector with the values that they compare. */
import type { ArgData, Hook, SelectorData, ValueFilter } from '../../model/model.js';
import { findFilteredSlots } from '../../model/slots.js';
import { ARG_TYPES, COMPARED_AS, type ValueClass } from '../../language/vocabulary.js';

export interface FilteredValue {
  readonly filter: ValueFilter;
  readonly arg: ArgData;
}

export function filteredValues(hook: Hook, selector: SelectorData): FilteredValue[] {
  return (['matchArgs', 'matchData'] as const).flatMap((list) =>
    (selector[list] ?? []).flatMap((filter) =>
      findFilteredSlots(hook, list, filter).flatMap((slot) => (slot === undefined ? [] : [{ filter, arg: slot.arg }])),
    ),
  );
}

export function comparedAs({ type = 'auto' }: ArgData): (typeof COMPARED_AS)[ValueClass] {
  return COMPARED_AS[ARG_TYPES[type].class];
}

export function hasPathFilter(hook: Hook, selector: SelectorData): boolean {
  return filteredValues(hook, selector).some(({ arg }) => comparedAs(arg) === 'path');
}
