/** Finds the values that a filter compares, and the names that CEL expressions can use: arg0, arg1, …, and labels. */
import { filteredArg, filteredData } from './arguments.js';
import type { CelName, CelScope } from '../cel/cel.js';
import { NUMBER_TYPES, type NumberType } from '../cel/typed.js';
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

/**
 * The values that a filter names, in its order. An entry is undefined if the hook has no such value. An expression names
 * the values itself, whatever the filter's own `index` or `args` say.
 */
export function filteredSlots(hook: Hook, list: FilterList, filter: ValueFilter): (Slot | undefined)[] {
  if (filter.operator === 'CelExpr') return expressionSlots(hook, list, filter);
  const slots = slotsOf(hook.data, list);
  if (filter.args !== undefined && filter.args.length > 0) return filter.args.map((position) => slots[position]);
  const args = slots.map(({ arg }) => arg);
  const found = list === 'matchData' ? filteredData(args, filter) : filteredArg(hook, args, filter);
  return [found === undefined ? undefined : slots[found.position]];
}

function expressionSlots(hook: Hook, list: FilterList, { values = [] }: ValueFilter): Slot[] {
  const named = namedSlots(hook, list);
  const names = new Set(values.flatMap((text) => text.match(/[A-Za-z_]\w*/g) ?? []));
  const found = new Map([...names].flatMap((name) => named.get(name) ?? []).map((slot) => [slot.slot, slot]));
  return [...found.values()].sort((a, b) => a.slot - b.slot);
}

/** True if the value is known only when the function returns. */
export function isLateValue({ arg, slot }: Slot, { args = [], data = [] }: HookData): boolean {
  return slot === args.length + data.length || arg.returnCopy === true;
}

export function scopeOf(hook: Hook, list: FilterList): CelScope {
  return new Map([...namedSlots(hook, list)].map(([name, slot]) => [name, nameOf(slot, hook.data)]));
}

/** The names in expressions: labels, and `argN` for position N of the values that this kind of filter compares. */
function namedSlots(hook: Hook, list: FilterList): Map<string, Slot> {
  const { data } = hook;
  const all = (['matchArgs', 'matchData', 'matchReturnArgs'] as const)
    .filter((own) => own !== 'matchReturnArgs' || data.return === true)
    .flatMap((own) => slotsOf(data, own));
  const labels = all.flatMap((slot): [string, Slot][] =>
    slot.arg.label !== undefined && /^[A-Za-z_]\w*$/.test(slot.arg.label) ? [[slot.arg.label, slot]] : [],
  );
  return new Map([...labels, ...slotsOf(data, list).map((slot, i): [string, Slot] => [`arg${i}`, slot])]);
}

function nameOf(slot: Slot, data: HookData): CelName {
  const { type = 'nop' } = slot.arg;
  const facts: TypeFacts = ARG_TYPES[type];
  const late = isLateValue(slot, data);
  switch (facts.class) {
    case 'signed':
    case 'unsigned':
      return { slot: slot.slot, type: numberType(facts), late };
    case 'capability':
    case 'capabilities':
    case 'syscall':
      return { slot: slot.slot, type: 'uint', late };
    default:
      return { refused: `of type ${type}, which is not a number` };
  }
}

function numberType({ class: of, bits = 64 }: TypeFacts): NumberType {
  const found = (Object.keys(NUMBER_TYPES) as NumberType[]).find(
    (type) => NUMBER_TYPES[type].bits === bits && NUMBER_TYPES[type].signed === (of === 'signed'),
  );
  return found ?? 'int';
}
