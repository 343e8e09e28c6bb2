/**
 * Translates a compiled hook for the program of a group (bpf/group.bpf.h): the configuration of the program, and a rule
 * for each selector. Pure.
 */
import {
  excludingSelectors,
  hookValues,
  isEnforcing,
  isModifying,
  suppressingSelectors,
  type CompiledAction,
} from '../../compiled/compiled-hook.js';
import type {
  AddressPrefix,
  CompiledHook,
  CompiledValue,
  IntGroup,
  IntTest,
  NetField,
  SelectorActions,
  StringTable,
  ValueTable,
} from '../../compiled/compiled-policy.js';
import {
  AbiLimit,
  GroupAddress,
  GroupFlag,
  GroupLimit,
  GroupTestKind,
  HookConfig,
  IntOp,
  ObjectConfig,
} from '../layout.gen.js';
import { READS } from '../reads.js';
import { isSilent } from './actions.js';
import { buildGroups, NET_FIELDS, operatorNumber } from './comparisons.js';
import type { EncodeContext } from './context.js';
import { encodeHook, type EncodedHook } from './hook.js';
import { objectOrder } from './objects.js';
import { encodeUtf8 } from './tables.js';

/** A comparison that follows the look-up: struct group_test. */
export interface GroupTestSource {
  readonly kind: number;
  /** The slot, field or bit. */
  readonly index: number;
  readonly op: number;
  readonly value: bigint;
  readonly upper: bigint;
  readonly negate: boolean;
  /** The last of its alternatives. */
  readonly last: boolean;
}

/** The strings of a rule. Each character of a key is a byte. Those of `postfix` are reversed. */
export interface RuleStrings {
  /** The number of the string or path, in the order of `filteredSlots`. */
  readonly string: number;
  readonly table: 'prefix' | 'postfix';
  readonly keys: readonly string[];
  /** The rule has a Prefix, which an unknown beginning may satisfy. */
  readonly isPrefix: boolean;
}

/** A filter on one of the strings that must hold, too. */
interface FurtherStrings extends RuleStrings {
  /** It must not hold. */
  readonly negate: boolean;
}

/** A selector: struct group_rule. */
export interface GroupRuleSource {
  readonly selector: number;
  readonly flags: number;
  /** Undefined for a hook without strings and paths. */
  readonly strings?: RuleStrings;
  readonly further: readonly FurtherStrings[];
  /** The numbers that Equal names, by the slot; ports have the number of their word, plus 1, in it. One can be looked up. */
  readonly numbers: ReadonlyMap<number, readonly bigint[]>;
  /** The networks of an In on an address, by `netSlot()`. One of these is looked up if the first rule names no number. */
  readonly networks: ReadonlyMap<number, readonly AddressPrefix[]>;
  readonly tests: readonly GroupTestSource[];
  readonly actions?: SelectorActions;
}

/** Most values of one Equal on a number that are compared one after the other. */
const ALTERNATIVES_MAX = 64;

/** A reason why a hook cannot be in a group, in words for people. */
class NotGroupable extends Error {}

/**
 * Returns the rules of the hook, or the reason why it needs a program of its own. The context has the bits of the policy's
 * sets and scopes.
 */
export function toGroupRules(hook: CompiledHook, context: EncodeContext): readonly GroupRuleSource[] | string {
  try {
    const slots = filteredSlots(hook);
    checkShape(hook, slots.length, context);
    const values = hookValues(hook);
    const strings = slots.map((slot): FilteredString => {
      const value = values[slot] as CompiledValue;
      return { value, excluding: new Set(excludingSelectors(value)) };
    });
    return Array.from({ length: Math.max(1, hook.selectors) }, (_, selector) =>
      toRule(hook, strings, selector, context),
    );
  } catch (error) {
    if (error instanceof NotGroupable) return error.message;
    throw error;
  }
}

/**
 * The slot whose number or address is looked up: the first one that the first rule names. Undefined if a string is looked up,
 * or nothing.
 */
export function lookedUpSlot([first]: readonly GroupRuleSource[]): number | undefined {
  if (first === undefined || first.strings !== undefined) return undefined;
  return [...first.numbers.keys(), ...first.networks.keys()][0];
}

/**
 * What the program of a group looks up for these rules. Hooks with different kinds need different groups: in one group, each
 * would make the calls of the others dearer.
 */
export function lookUpKind(rules: readonly GroupRuleSource[]): string {
  if (rules.some(({ strings }) => strings !== undefined && isAnyString(strings))) return 'any string';
  return String(lookedUpSlot(rules));
}

function refuse(reason: string): never {
  throw new NotGroupable(reason);
}

/** The actions of groups. The tracer itself runs requests, when it reads their events. */
const GROUP_ACTIONS: ReadonlySet<CompiledAction> = new Set([
  'post',
  'noPost',
  'signal',
  'sigkill',
  'override',
  'getUrl',
  'dnsLookup',
  'trackSock',
  'untrackSock',
]);

function checkShape(hook: CompiledHook, strings: number, context: EncodeContext): void {
  const { actions = [] } = hook;
  if (context.pair) refuse('it reads values at the entry and at the return');
  const action = actions.flatMap(({ order }) => order).find((name) => !GROUP_ACTIONS.has(name));
  if (action !== undefined) refuse(`it has the action ${action}`);
  if (actions.some(({ imaHash }) => imaHash === true)) refuse('it has an IMA hash');
  if (hook.returnActions !== undefined) refuse('it has matchReturnActions');
  if (hook.markTests !== undefined) refuse('it has matchMarks');
  if (hook.returnedSocket !== undefined) refuse('it has a returnArgAction');
  if (hook.cel.entry.length + hook.cel.returned.length > 0) refuse('it has an expression');
  if (hook.changes.length > 0) refuse('it has matchNamespaceChanges or matchCapabilityChanges');
  hookValues(hook).forEach((value) => {
    const { class: own } = READS[value.type];
    if (own === 'buffer') refuse(`it reads a value of the type ${value.type}`);
    if (own === 'detail' && strings > 0) refuse(`it reads a string and a value of the type ${value.type}`);
    if (own === 'number' || own === 'nothing' || own === 'detail') return;
    const { texts, ints } = value;
    if (ints.length > 0 || (texts.substrings ?? []).length > 0 || (texts.inode ?? []).length > 0) {
      refuse('it filters a string by something other than Equal, Prefix and Postfix');
    }
  });
  if (strings > GroupLimit.GROUP_STRINGS_MAX)
    refuse(`it filters more than ${GroupLimit.GROUP_STRINGS_MAX} strings or paths`);
}

interface FilteredString {
  readonly value: CompiledValue;
  /** The selectors that it does not satisfy if it is missing. */
  readonly excluding: ReadonlySet<number>;
}

function toRule(
  hook: CompiledHook,
  filtered: readonly FilteredString[],
  selector: number,
  context: EncodeContext,
): GroupRuleSource {
  const values = hookValues(hook);
  const [strings, ...further] = toStrings(filtered, selector);
  const actions = hook.actions?.[selector];
  const sets = hook.sets.filter(({ selectors }) => selectors.includes(selector));
  const flags =
    (suppressingSelectors(hook).includes(selector) ? GroupFlag.GROUP_SUPPRESSES : 0) |
    (actions !== undefined && isSilent(actions) ? GroupFlag.GROUP_NO_POST : 0) |
    (sets.some(({ needsExecutable }) => needsExecutable === true) ? GroupFlag.GROUP_NEEDS_EXECUTABLE : 0) |
    (actions === undefined ? 0 : GroupFlag.GROUP_COUNTS);
  const numbers = new Map<number, readonly bigint[]>();
  const networks = new Map<number, readonly AddressPrefix[]>();
  const tests: GroupTestSource[] = [];
  filtered.forEach(({ excluding }, index) => {
    if (!excluding.has(selector)) return;
    tests.push({ ...BIT_TEST, kind: GroupTestKind.GROUP_TEST_PRESENT, index, negate: false });
  });
  values.forEach((value, slot) => {
    tests.push(...numberTests(value, selector, GroupTestKind.GROUP_TEST_NUMBER, slot));
    tests.push(...netTests(value, selector, slot));
    const equal = equalNumbers(value, selector);
    if (equal !== undefined) numbers.set(slot, equal);
    for (const [word, ports] of equalPorts(value, selector)) numbers.set(netSlot(slot, word + 1), ports);
    for (const [word, own] of namedNetworks(value, selector)) networks.set(netSlot(slot, word), own);
  });
  for (const { set, negate, parent } of sets) {
    const kind = parent ? GroupTestKind.GROUP_TEST_PARENT_SET : GroupTestKind.GROUP_TEST_SET;
    tests.push({ ...BIT_TEST, kind, index: context.processBits[set] as number, negate });
  }
  for (const { scope, selectors } of hook.scopes) {
    if (!selectors.includes(selector)) continue;
    tests.push({
      ...BIT_TEST,
      kind: GroupTestKind.GROUP_TEST_SCOPE,
      index: context.scopeBits[scope] as number,
      negate: false,
    });
  }
  if (hook.sets.some(({ yields }) => yields === true)) {
    refuse('a selector that only reports comes before one that acts on the process');
  }
  hook.process.forEach(({ field, selectors }, i) => {
    if (!selectors.includes(selector)) return;
    if (field === 'namespacePid') refuse('it filters process ids in their own namespace');
    const group = buildGroups(hook, context).process[i] as IntGroup & { readonly field: number };
    tests.push(...groupTests(group, selector, GroupTestKind.GROUP_TEST_PROCESS, group.field));
  });
  return {
    ...{ selector, flags, numbers, networks, tests, further },
    ...(strings === undefined ? {} : { strings }),
    ...(actions === undefined ? {} : { actions }),
  };
}

const BIT_TEST = { op: IntOp.INT_EQUAL, value: 0n, upper: 0n, last: true } as const;

/** The slots of the strings and paths that the program looks up: those with filters, or else the first one. */
function filteredSlots(hook: CompiledHook): number[] {
  const values = hookValues(hook);
  const order = objectOrder(hook).filter((slot) => READS[(values[slot] as CompiledValue).type].class !== 'detail');
  const filtered = order.filter((slot) => Object.keys((values[slot] as CompiledValue).texts).length > 0);
  return filtered.length > 0 ? filtered : order.slice(0, 1);
}

/** Leads to a rule from each string: each begins with the empty one. */
const ANY_STRING: FurtherStrings = { string: 0, table: 'prefix', keys: [''], isPrefix: true, negate: false };

/** True if each string leads to the rule. */
export function isAnyString({ keys }: RuleStrings): boolean {
  return keys.includes('');
}

/** The filters of the selector on strings. The values of the first one lead to the rule. */
function toStrings(filtered: readonly FilteredString[], selector: number): FurtherStrings[] {
  if (filtered.length === 0) return [];
  const filters = filtered.flatMap(({ value: { texts } }, string) =>
    (['equal', 'prefix', 'postfix'] as const)
      .flatMap((kind) => toFilters(kind, texts[kind], selector))
      .map((filter) => ({ ...filter, string })),
  );
  const first = filters.find(({ negate }) => !negate) ?? ANY_STRING;
  return [first, ...filters.filter((filter) => filter !== first)];
}

/** At most one filter that must hold, and one that must not. */
function toFilters(
  kind: 'equal' | 'prefix' | 'postfix',
  table: StringTable | undefined,
  selector: number,
): Omit<FurtherStrings, 'string'>[] {
  if (table?.used.includes(selector) !== true) return [];
  const isWanted = table.positive.includes(selector);
  return (['match', 'reject'] as const).flatMap((key) => {
    const own = table.entries.filter((entry) => entry[key].includes(selector));
    if (key === 'match' ? !isWanted : own.length === 0) return [];
    const strings = own.map(({ value }) => toBytes(value));
    const limit = kind === 'equal' ? GroupLimit.GROUP_STRING_MAX : AbiLimit.FILTER_STRING_MAX;
    if (strings.some(({ length }) => length > limit)) refuse(`a string has more than ${limit} bytes`);
    return [{ ...toKeys(kind, strings), negate: key === 'reject' }];
  });
}

function toKeys(kind: 'equal' | 'prefix' | 'postfix', strings: readonly string[]): Omit<RuleStrings, 'string'> {
  if (kind === 'postfix') return { table: 'postfix', keys: strings.map(reverse), isPrefix: false };
  const keys = kind === 'equal' ? strings.map((text) => `${text}\0`) : strings;
  return { table: 'prefix', keys, isPrefix: kind === 'prefix' };
}

/** One character for each byte. */
function toBytes(text: string): string {
  return String.fromCharCode(...encodeUtf8(text));
}

function reverse(text: string): string {
  return [...text].reverse().join('');
}

function numberTests(value: CompiledValue, selector: number, kind: number, slot: number): GroupTestSource[] {
  const groups = value.ints.flatMap((group) => groupTests(group, selector, kind, slot));
  return [...groups, ...tableTests(value.intTable, selector, kind, slot)];
}

/** The comparisons of one selector in a group. At least one must hold, or, if it is negated, none. */
function groupTests(
  { negate, selectors, tests }: Pick<IntGroup, 'negate' | 'selectors' | 'tests'>,
  selector: number,
  kind: number,
  index: number,
): GroupTestSource[] {
  if (!selectors.includes(selector)) return [];
  const own = tests.filter((test) => test.selectors.includes(selector));
  if (own.length === 0) refuse('a filter on a number has no values');
  return own.map((test, i) => ({
    ...{ kind, index, negate },
    op: operatorNumber(test),
    value: test.value,
    upper: test.upper ?? 0n,
    last: i === own.length - 1,
  }));
}

function tableTests(
  table: ValueTable<bigint> | undefined,
  selector: number,
  kind: number,
  index: number,
): GroupTestSource[] {
  return alternatives(table, selector, (value) => ({ kind, index, op: IntOp.INT_EQUAL, value, upper: 0n }));
}

/** A comparison with each value of the table that the selector names. */
function alternatives<T>(
  table: ValueTable<T> | undefined,
  selector: number,
  toTest: (value: T) => Omit<GroupTestSource, 'negate' | 'last'>,
): GroupTestSource[] {
  if (table?.used.includes(selector) !== true) return [];
  return (['match', 'reject'] as const).flatMap((key) => {
    const isWanted = key === 'match' && table.positive.includes(selector);
    const own = table.entries.filter((entry) => entry[key].includes(selector));
    if (own.length === 0 && isWanted) refuse('a filter has no values');
    if (own.length > ALTERNATIVES_MAX) refuse(`a filter has more than ${ALTERNATIVES_MAX} values`);
    if (key === 'match' && !isWanted) return [];
    return own.map(({ value }, i) => ({ ...toTest(value), negate: key === 'reject', last: i === own.length - 1 }));
  });
}

/** The comparisons of the fields and addresses of a socket, packet or address. */
function netTests({ net }: CompiledValue, selector: number, slot: number): GroupTestSource[] {
  const fields = (net.groups ?? []).flatMap((group) =>
    groupTests(group, selector, GroupTestKind.GROUP_TEST_NET, netSlot(slot, netWord(group.field))),
  );
  const addresses = (['source', 'destination'] as const).flatMap((side) =>
    alternatives(net[side], selector, (network) => networkTest(network, slot, side)),
  );
  return [...fields, ...addresses];
}

/** The number of a field in struct net_detail, in words of four bytes. */
function netWord(field: NetField): number {
  return NET_FIELDS[field] / 4;
}

function netSlot(slot: number, word: number): number {
  return slot | (word << GroupLimit.GROUP_WORD_SHIFT);
}

function networkTest({ family, bytes, bits }: AddressPrefix, slot: number, side: 'source' | 'destination') {
  const address = new DataView(new ArrayBuffer(16));
  bytes.forEach((byte, i) => address.setUint8(i, byte));
  const index =
    slot |
    (side === 'destination' ? GroupAddress.GROUP_ADDRESS_DESTINATION : 0) |
    (family === 6 ? GroupAddress.GROUP_ADDRESS_IPV6 : 0);
  const kind = GroupTestKind.GROUP_TEST_NETWORK;
  return { kind, index, op: bits, value: address.getBigUint64(0), upper: address.getBigUint64(8) };
}

/** The ports that satisfy one filter of the selector, if it is an Equal, by the number of the field. */
function equalPorts({ net }: CompiledValue, selector: number): (readonly [word: number, ports: readonly bigint[]])[] {
  return PORTS.flatMap((field) => {
    const equal = equalTests(net.groups?.filter((group) => group.field === field) ?? [], selector);
    return equal === undefined ? [] : [[netWord(field), equal] as const];
  });
}

const PORTS = ['destinationPort', 'sourcePort'] as const;

/** The networks of which the selector needs one, by the number of the address. */
function namedNetworks(
  { net }: CompiledValue,
  selector: number,
): (readonly [word: number, networks: readonly AddressPrefix[]])[] {
  return ADDRESSES.flatMap(([side, word]) => {
    const table = net[side];
    if (table?.positive.includes(selector) !== true) return [];
    const own = table.entries.filter(({ match }) => match.includes(selector));
    return [[word, own.map(({ value }) => value)] as const];
  });
}

const ADDRESSES = [
  ['destination', GroupLimit.GROUP_DESTINATION],
  ['source', GroupLimit.GROUP_SOURCE],
] as const;

/** The numbers that satisfy one filter of the selector, if it is an Equal. */
function equalNumbers({ type, ints, intTable }: CompiledValue, selector: number): readonly bigint[] | undefined {
  if (READS[type].class !== 'number') return undefined;
  const equal = equalTests(ints, selector);
  if (equal !== undefined || intTable?.positive.includes(selector) !== true) return equal;
  return intTable.entries.filter(({ match }) => match.includes(selector)).map(({ value }) => value);
}

/** The numbers of a group of comparisons that are all `equal`. */
function equalTests(
  groups: readonly Pick<IntGroup, 'negate' | 'selectors' | 'tests'>[],
  selector: number,
): readonly bigint[] | undefined {
  const isEqual = (test: IntTest): boolean => test.op === 'equal';
  const group = groups.find(
    ({ negate, selectors, tests }) =>
      !negate && selectors.includes(selector) && tests.every((t) => isEqual(t) || !t.selectors.includes(selector)),
  );
  return group?.tests.filter((test) => test.selectors.includes(selector)).map(({ value }) => value);
}

/** The hook without its filters: what all hooks of a group have in common. */
function toBareHook(hook: CompiledHook): CompiledHook {
  const { args, data, returnArg, actions, ...rest } = hook;
  return {
    ...rest,
    ...commonActions(actions),
    selectors: 1,
    args: args.map(withoutFilters),
    data: data.map(withoutFilters),
    ...(returnArg === undefined ? {} : { returnArg: withoutFilters(returnArg) }),
    process: [],
    sets: [],
    scopes: [],
    changes: [],
    cel: { entry: [], returned: [] },
  };
}

/** One selector with what the program of a group needs for the actions of all its rules. None for Post and NoPost alone. */
function commonActions(actions: readonly SelectorActions[] = []): Pick<CompiledHook, 'actions'> {
  const has = (needs: (each: SelectorActions) => boolean): boolean => actions.some(needs);
  const [hasRate, hasSignal] = [has(({ rateLimit }) => rateLimit !== undefined), has(isEnforcing)];
  const kernelStack = has((each) => each.kernelStack === true);
  const userStack = has((each) => each.userStack === true);
  const hasOverride = has(isModifying);
  const hasSocket = has(({ order }) => order.some((name) => name === 'trackSock' || name === 'untrackSock'));
  if (!hasRate && !hasSignal && !kernelStack && !userStack && !hasSocket) return {};
  return {
    actions: [
      {
        order: [
          ...(hasOverride ? (['override'] as const) : []),
          ...(hasSocket ? (['trackSock'] as const) : []),
          'post',
        ],
        ...(hasOverride ? { override: 0 } : {}),
        ...(hasRate ? { rateLimit: { seconds: 1, scope: 'thread' } } : {}),
        ...(kernelStack ? { kernelStack } : {}),
        ...(userStack ? { userStack } : {}),
      },
    ],
  };
}

function withoutFilters({ intTable, ...value }: CompiledValue): CompiledValue {
  void intTable;
  return { ...value, ints: [], texts: {}, net: {} };
}
/**
 * Encodes the program of a group to which this hook can belong. Hooks with the same configuration, apart from the id, read the
 * same values in the same way.
 */
export function encodeGroupProgram(hook: CompiledHook, context: EncodeContext): EncodedHook {
  const bare = toBareHook(hook);
  const [first, ...others] = filteredSlots(hook);
  const isPath = first !== undefined && READS[(hookValues(hook)[first] as CompiledValue).type].class === 'path';
  // with more strings, what the first one leads to does not end a call, so nothing about it can be remembered
  const isCached = isPath && others.length === 0;
  const filtered = first === undefined ? [] : [first, ...others];
  const order = [...filtered, ...objectOrder(bare).filter((slot) => !filtered.includes(slot))];
  const encoded = encodeHook(bare, { ...context, locks: isCached ? context.groupLocks : undefined }, order);
  const config = encoded.config.slice();
  filtered.forEach((_, i) => {
    config[HookConfig.objects + i * HookConfig.objectsStride + ObjectConfig.filtered] = 1;
  });
  config[HookConfig.objects + ObjectConfig.folders] = Number(isCached);
  const number = hookValues(hook).findIndex(({ type }) => READS[type].class === 'number');
  config[HookConfig.frontSlot] = number < 0 ? AbiLimit.HOOK_VALUES_MAX : number;
  return { ...encoded, config };
}
