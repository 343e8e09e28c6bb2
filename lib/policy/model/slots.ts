/**
 * Finds the slots of the values that a filter compares, and the names in CEL expressions: arg0, arg1, …, and labels.
 */
import { findFilteredArg, findFilteredData } from './arguments.js';
import type { CelName, CelScope } from '../cel/cel.js';
import { NUMBER_TYPES, type NumberType } from '../cel/typed-expression.js';
import type { ArgData, Hook, HookData, ValueFilter } from './model.js';
import { ARG_TYPES, operatorRule, type TypeFacts } from '../language/vocabulary.js';

export type FilterList = 'matchArgs' | 'matchData' | 'matchReturnArgs';

/** A value of a hook with its slot. Args have the first slots, followed by data and the return value. */
export interface Slot {
  readonly slot: number;
  readonly arg: ArgData;
}

/** Returns the slots that the filters of a list can compare. */
function listSlots({ args = [], data = [], returnArg }: HookData, list: FilterList): Slot[] {
  const first = list === 'matchArgs' ? 0 : list === 'matchData' ? args.length : args.length + data.length;
  const values = list === 'matchArgs' ? args : list === 'matchData' ? data : returnArg === undefined ? [] : [returnArg];
  return values.map((arg, i) => ({ slot: first + i, arg }));
}

/**
 * Returns the slots that a filter compares, in its order. An entry is undefined if the hook has no such value. For an
 * expression, the filter's `index` and `args` have no effect: the expression names its values.
 */
export function findFilteredSlots(hook: Hook, list: FilterList, filter: ValueFilter): (Slot | undefined)[] {
  if (filter.operator !== undefined && operatorRule(filter.operator).compares === 'named') {
    return findExpressionSlots(hook, list, filter);
  }
  const slots = listSlots(hook.data, list);
  if (filter.args !== undefined && filter.args.length > 0) return filter.args.map((position) => slots[position]);
  const args = slots.map(({ arg }) => arg);
  const found = list === 'matchData' ? findFilteredData(args, filter) : findFilteredArg(hook, args, filter);
  return [found === undefined ? undefined : slots[found.position]];
}

function findExpressionSlots(hook: Hook, list: FilterList, { values = [] }: ValueFilter): Slot[] {
  const byName = slotsByName(hook, list);
  const names = new Set(values.flatMap((text) => text.match(/[A-Za-z_]\w*/g) ?? []));
  const found = new Map([...names].flatMap((name) => byName.get(name) ?? []).map((slot) => [slot.slot, slot]));
  return [...found.values()].sort((a, b) => a.slot - b.slot);
}

/** True if the value is read when the function returns. */
export function isReadAtReturn({ arg, slot }: Slot, { args = [], data = [] }: HookData): boolean {
  return slot === args.length + data.length || arg.returnCopy === true || arg.source === 'duration';
}

export function expressionScope(hook: Hook, list: FilterList): CelScope {
  return new Map([...slotsByName(hook, list)].map(([name, slot]) => [name, celName(slot, hook.data)]));
}

/**
 * Maps the names in expressions to slots: labels, and `argN` for position N of the values that the list compares. In
 * matchArgs and matchCEL, `dataN` is position N of `data`.
 */
function slotsByName(hook: Hook, list: FilterList): Map<string, Slot> {
  const { data } = hook;
  const all = (['matchArgs', 'matchData', 'matchReturnArgs'] as const)
    .filter((each) => each !== 'matchReturnArgs' || data.return === true)
    .flatMap((each) => listSlots(data, each));
  const labels = all.flatMap((slot): [string, Slot][] =>
    slot.arg.label !== undefined && /^[A-Za-z_]\w*$/.test(slot.arg.label) ? [[slot.arg.label, slot]] : [],
  );
  const named = (prefix: string, slots: readonly Slot[]): [string, Slot][] =>
    slots.map((slot, i) => [`${prefix}${i}`, slot]);
  const dataNames = list === 'matchArgs' ? named('data', listSlots(data, 'matchData')) : [];
  return new Map([...labels, ...dataNames, ...named('arg', listSlots(data, list))]);
}

function celName(slot: Slot, data: HookData): CelName {
  const { type = 'nop' } = slot.arg;
  const facts: TypeFacts = ARG_TYPES[type];
  const readAtReturn = isReadAtReturn(slot, data);
  switch (facts.class) {
    case 'signed':
    case 'unsigned':
      return { slot: slot.slot, type: celNumberType(facts), atReturn: readAtReturn };
    case 'capability':
    case 'capabilities':
    case 'syscall':
      return { slot: slot.slot, type: 'uint', atReturn: readAtReturn };
    case 'text':
    case 'path':
    case 'file':
    case 'sock':
    case 'skb':
    case 'sockaddr':
    case 'unixAddress':
    case 'algorithmAddress':
    case 'opaque':
    case 'nop':
    case 'auto':
      return { refused: `of type ${type}, which is not a number` };
  }
}

function celNumberType({ class: valueClass, bits = 64 }: TypeFacts): NumberType {
  const found = (Object.keys(NUMBER_TYPES) as NumberType[]).find(
    (type) => NUMBER_TYPES[type].bits === bits && NUMBER_TYPES[type].signed === (valueClass === 'signed'),
  );
  return found ?? 'int';
}
