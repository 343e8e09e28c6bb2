/** Lists the maps that a hook needs, with their sizes and entries. Pure. */
import { hasNotifications, hashesFiles, limitsRate, valuesOf } from '../../compiled/compiled-hook.js';
import type { CompiledHook, TextTable } from '../../compiled/compiled-policy.js';
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

/** A number that is 0 means the definition in the BPF program. */
export interface EncodedMap {
  readonly name: string;
  readonly create: boolean;
  /** Id of the hook that owns the map. */
  readonly sharedWith?: number;
  readonly keySize: number;
  /** Number of bytes to cut from the end of each value. */
  readonly trim: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Pairs of a key and a value, one after the other. */
  readonly entries: Uint8Array;
}

const BPF_F_NO_PREALLOC = 1;
/** Most calls of one hook that can be between entry and return at the same time. */
const PENDING_ON_DEMAND = 16384;
const PENDING_PREALLOCATED = 512;
/** Most files that the BPF programs find by path and afterwards recognise by inode. */
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
  hook: CompiledHook,
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
    { ...PLAIN, name: 'scope_memory', create: hook.scopes.length > 0 },
    { ...PLAIN, name: 'rates', create: limitsRate(hook) },
    hasNotifications(hook) ? notifications(context.enforcer) : { ...PLAIN, name: 'notifications', create: false },
    // always created: kernels before 6.7 verify the function that uses it, even if nothing calls the function
    { ...PLAIN, name: 'automaton', maxEntries: automaton.states, entries: automaton.entries },
    {
      ...PLAIN,
      name: 'pending',
      create: context.pair || hashesFiles(hook),
      trim,
      maxEntries: context.onDemand ? PENDING_ON_DEMAND : PENDING_PREALLOCATED,
      flags: context.onDemand ? BPF_F_NO_PREALLOC : 0,
    },
    // a map of libbpf: the location of the arguments, for each place
    ...(hook.kind === 'usdt' ? [{ ...PLAIN, name: '__bpf_usdt_specs', maxEntries: context.probePlaces ?? 0 }] : []),
  ];
}

/** `enforcer` is another hook of the policy that already has the map. */
export function notifications(enforcer: number | undefined): EncodedMap {
  return { ...PLAIN, name: 'notifications', ...(enforcer === undefined ? {} : { sharedWith: enforcer }) };
}

function textMaps(hook: CompiledHook): EncodedMap[] {
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

/** A filter with `inode` always creates the map, because its file can appear later. */
function inodeMap(hook: CompiledHook, context: EncodeContext): EncodedMap {
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
