/** Finds the values that a filter compares, and the names that CEL expressions can use: arg0, arg1, …, and labels. */
import { filteredArg, filteredData } from './arguments.js';
import type { CelName, CelScope } from '../cel/cel.js';
import type { ArgData, Hook, HookData, ValueFilter } from './model.js';
import { ARG_TYPES, type TypeFacts } from '../language/vocabulary.js';

export type FilterList = 'matchArgs' | 'matchData' | 'matchReturnArgs';

/** A value of a hook with its slot. Args have the first slots, then data, then the return value. */
export interface Slot {
  readonly slot: number;
  readonly arg: ArgData;
}

/** The slots that the filters of a list can compare. */
function slotsOf({ args = [], data = [], returnArg }: HookData, list: FilterList): Slot[] {
  const first = list === 'matchArgs' ? 0 : list === 'matchData' ? args.length : args.length + data.length;
  const own = list === 'matchArgs' ? args : list === 'matchData' ? data : returnArg === undefined ? [] : [returnArg];
  return own.map((arg, i) => ({ slot: first + i, arg }));
}

/** The values that a filter names, in its order. An entry is undefined if the hook has no such value. */
export function filteredSlots(hook: Hook, list: FilterList, filter: ValueFilter): (Slot | undefined)[] {
  const slots = slotsOf(hook.data, list);
  if (filter.args !== undefined && filter.args.length > 0) return filter.args.map((position) => slots[position]);
  const args = slots.map(({ arg }) => arg);
  const found = list === 'matchData' ? filteredData(args, filter) : filteredArg(hook, args, filter);
  return [found === undefined ? undefined : slots[found.position]];
}

/** True if the value is known only when the function returns. */
export function isLateValue({ arg, slot }: Slot, { args = [], data = [], return: returns }: HookData): boolean {
  return slot === args.length + data.length || (returns === true && arg.returnCopy === true);
}

export function scopeOf(hook: Hook, list: FilterList, filter: ValueFilter): CelScope {
  const { data } = hook;
  const all = (['matchArgs', 'matchData', 'matchReturnArgs'] as const)
    .filter((own) => own !== 'matchReturnArgs' || data.return === true)
    .flatMap((own) => slotsOf(data, own));
  const labels = all.flatMap((slot): [string, CelName][] =>
    slot.arg.label !== undefined && /^[A-Za-z_]\w*$/.test(slot.arg.label) ? [[slot.arg.label, nameOf(slot, data)]] : [],
  );
  const positions = filteredSlots(hook, list, filter).flatMap((slot, i): [string, CelName][] =>
    slot === undefined ? [] : [[`arg${i}`, nameOf(slot, data)]],
  );
  return new Map([...labels, ...positions]);
}

function nameOf(slot: Slot, data: HookData): CelName {
  const { type = 'nop' } = slot.arg;
  const facts: TypeFacts = ARG_TYPES[type];
  const late = isLateValue(slot, data);
  switch (facts.class) {
    case 'signed':
      return { slot: slot.slot, type: 'int', late };
    case 'unsigned':
    case 'capability':
    case 'capabilities':
    case 'syscall':
      return { slot: slot.slot, type: 'uint', late };
    default:
      return { refused: `of type ${type}, which is not a number` };
  }
}
