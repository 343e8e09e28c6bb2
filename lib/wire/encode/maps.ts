/** The maps of a hook: which it needs, how large, and what is in them. Pure. */
import { hasNotifications, hashesFiles, limitsRate, valuesOf } from '../../image/hook.js';
import type { HookImage, TextTable } from '../../image/image.js';
import { type EncodeContext } from './context.js';
import { longest, type HookAutomaton } from './objects.js';
import {
  addressEntries,
  countEntries,
  equalEntries,
  inodeEntries,
  intEntries,
  trieEntries,
  type SlotTable,
} from './tables.js';

/** Zeros leave what the program says. */
export interface EncodedMap {
  readonly name: string;
  readonly create: boolean;
  /** Id of a hook whose map of this name it is. */
  readonly sharedWith?: number;
  readonly keySize: number;
  /** Bytes cut from the end of each value. */
  readonly trim: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Keys and values, one after the other. */
  readonly entries: Uint8Array;
}

const BPF_F_NO_PREALLOC = 1;
/** Calls of one hook that may be between entry and return at once. */
const PENDING_ON_DEMAND = 16384;
const PENDING_PREALLOCATED = 512;
/** Files that the kernel side finds by their path, and knows by their inode from then on. */
const LEARNED_INODES = 4096;
const NO_ENTRIES = new Uint8Array(0);
const PLAIN: Omit<EncodedMap, 'name'> = {
  create: true,
  keySize: 0,
  trim: 0,
  maxEntries: 0,
  flags: 0,
  entries: NO_ENTRIES,
};

export function encodeMaps(
  hook: HookImage,
  context: EncodeContext,
  automaton: HookAutomaton,
  trim: number,
): EncodedMap[] {
  const values = valuesOf(hook);
  const net = tablesOf(values.map((value) => value.net.source));
  const destinations = tablesOf(values.map((value) => value.net.destination));
  const ints = tablesOf(values.map((value) => value.intTable));
  return [
    { ...PLAIN, name: 'scratch', trim },
    ...textMaps(hook),
    sized('int_equal', countEntries(ints), { entries: intEntries(ints) }),
    sized('addresses', countEntries(net) + countEntries(destinations), { entries: addressEntries(net, destinations) }),
    inodeMap(hook, context),
    { ...PLAIN, name: 'rates', create: limitsRate(hook) },
    hasNotifications(hook) ? notifications(context.enforcer) : { ...PLAIN, name: 'notifications', create: false },
    // always there: kernels before 6.7 look at the function that uses it even where nothing calls that
    { ...PLAIN, name: 'automaton', maxEntries: automaton.states, entries: automaton.entries },
    {
      ...PLAIN,
      name: 'pending',
      create: context.pair || hashesFiles(hook),
      trim,
      maxEntries: context.onDemand ? PENDING_ON_DEMAND : PENDING_PREALLOCATED,
      flags: context.onDemand ? BPF_F_NO_PREALLOC : 0,
    },
    // libbpf's own: where the arguments are, for each place
    ...(hook.kind === 'usdt' ? [{ ...PLAIN, name: '__bpf_usdt_specs', maxEntries: context.probePlaces ?? 0 }] : []),
  ];
}

/** `enforcer`: another hook of the policy that has the map already. */
export function notifications(enforcer: number | undefined): EncodedMap {
  return { ...PLAIN, name: 'notifications', ...(enforcer === undefined ? {} : { sharedWith: enforcer }) };
}

function textMaps(hook: HookImage): EncodedMap[] {
  const of = (kind: 'equal' | 'prefix' | 'postfix'): SlotOf<TextTable>[] =>
    tablesOf(valuesOf(hook).map(({ texts }) => texts[kind]));
  const [equal, prefix, postfix] = [of('equal'), of('prefix'), of('postfix')];
  const keySize = 1 + equal.reduce((most, { table }) => Math.max(most, longest(table)), 1);
  return [
    sized('text_equal', countEntries(equal), { keySize, entries: equalEntries(equal, keySize) }),
    sized('text_prefix', countEntries(prefix), { entries: trieEntries(prefix, false) }),
    sized('text_postfix', countEntries(postfix), { entries: trieEntries(postfix, true) }),
  ];
}

/** There from the start where a filter asks for it: a file may appear only later. */
function inodeMap(hook: HookImage, context: EncodeContext): EncodedMap {
  const used = valuesOf(hook).some(({ texts }) => (texts.inode ?? []).length > 0);
  if (!used) return { ...PLAIN, name: 'inodes', create: false };
  const tables = [...context.inodes].map(([slot, entries]) => ({ slot, table: { entries } }));
  return sized('inodes', LEARNED_INODES + countEntries(tables), { entries: inodeEntries(tables) });
}

interface SlotOf<T extends SlotTable<unknown>['table']> {
  readonly slot: number;
  readonly table: T;
}

function tablesOf<T extends SlotTable<unknown>['table']>(tables: readonly (T | undefined)[]): SlotOf<T>[] {
  return tables.flatMap((table, slot) => (table === undefined ? [] : [{ slot, table }]));
}

function sized(name: string, count: number, more: Partial<EncodedMap>): EncodedMap {
  return { ...PLAIN, name, create: count > 0, maxEntries: count, ...more };
}
