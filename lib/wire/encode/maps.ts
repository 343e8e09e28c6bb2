/** Lists the maps that a hook needs, with their sizes and entries. Pure. */
import {
  hasNotifications,
  hasFileHash,
  hasRateLimit,
  hookValues,
  type StringTableKey,
} from '../../compiled/compiled-hook.js';
import type { CompiledHook, StringTable } from '../../compiled/compiled-policy.js';
import { countSizes } from './counts.js';
import { type EncodeContext } from './context.js';
import { canCacheFolders, folderEntries } from './folders.js';
import { maxStringBytes, type HookAutomaton } from './objects.js';
import {
  addressEntries,
  concatBytes,
  countEntries,
  equalEntries,
  inodeEntries,
  intEntries,
  trieEntries,
  type SlotTable,
} from './tables.js';

/** A map of a hook. A number that is 0 is replaced by the one in the BPF program's definition. */
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
/** Maximum number of calls of one hook that can be between entry and return at the same time. */
const PENDING_ON_DEMAND = 16384;
const PENDING_PREALLOCATED = 512;
/** Maximum number of files that the BPF programs match by path first and by inode afterwards. */
const LEARNED_INODES = 4096;
const NO_ENTRIES = new Uint8Array(0);
const EMPTY_MAP: Omit<EncodedMap, 'name'> = {
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
  const values = hookValues(hook);
  const net = toSlotTables(values.map((value) => value.net.source));
  const destinations = toSlotTables(values.map((value) => value.net.destination));
  const ints = toSlotTables(values.map((value) => value.intTable));
  return [
    { ...EMPTY_MAP, name: 'scratch', trim },
    ...encodeStringMaps(hook, context),
    encodeTableMap('int_equal', countEntries(ints), { entries: intEntries(ints) }),
    encodeTableMap('addresses', countEntries(net) + countEntries(destinations), {
      entries: addressEntries(net, destinations),
    }),
    encodeInodeMap(hook, context),
    { ...EMPTY_MAP, name: 'scope_cache', create: hook.scopes.length > 0 },
    { ...EMPTY_MAP, name: 'reported_states', create: hook.changes.length > 0 },
    { ...EMPTY_MAP, name: 'rates', create: hasRateLimit(hook) },
    hasNotifications(hook)
      ? encodeNotificationsMap(context.enforcer)
      : { ...EMPTY_MAP, name: 'notifications', create: false },
    // It is always created: kernels before 6.7 verify the function that uses it, even if nothing calls the function.
    { ...EMPTY_MAP, name: 'automaton', maxEntries: automaton.states, entries: automaton.entries },
    {
      ...EMPTY_MAP,
      name: 'pending',
      create: context.pair || hasFileHash(hook),
      trim,
      maxEntries: context.onDemand ? PENDING_ON_DEMAND : PENDING_PREALLOCATED,
      flags: context.onDemand ? BPF_F_NO_PREALLOC : 0,
    },
    ...encodeCountMaps(hook),
    // libbpf's map: the location of the arguments, for each attach point
    ...(hook.kind === 'usdt' ? [{ ...EMPTY_MAP, name: '__bpf_usdt_specs', maxEntries: context.probePoints ?? 0 }] : []),
  ];
}

function encodeCountMaps(hook: CompiledHook): EncodedMap[] {
  const { keySize, keys, texts, trim } = countSizes(hook);
  return [
    encodeTableMap('count_keys', keys, { keySize, trim }),
    { ...EMPTY_MAP, name: 'count_totals', create: hook.counts !== undefined, trim },
    encodeTableMap('count_texts', texts, {}),
  ];
}

/** `enforcer` is the id of another hook of the policy, which already has the map. */
export function encodeNotificationsMap(enforcer: number | undefined): EncodedMap {
  return { ...EMPTY_MAP, name: 'notifications', ...(enforcer === undefined ? {} : { sharedWith: enforcer }) };
}

function encodeStringMaps(hook: CompiledHook, { locks }: EncodeContext): EncodedMap[] {
  const values = hookValues(hook);
  const slotTables = (kind: StringTableKey): TableInSlot<StringTable>[] =>
    toSlotTables(values.map(({ texts }) => texts[kind]));
  const [equal, prefix, postfix] = [slotTables('equal'), slotTables('prefix'), slotTables('postfix')];
  const keySize = 1 + equal.reduce((max, { table }) => Math.max(max, maxStringBytes(table)), 1);
  const folders = locks === undefined ? [] : values.flatMap(folderEntries);
  const prefixes = encodeTableMap('string_prefix', countEntries(prefix) + folders.length, {
    entries: concatBytes([trieEntries(prefix, false), ...folders]),
  });
  // the program looks folders up even if no value has one
  const usesFolders = locks !== undefined && values.some(canCacheFolders);
  const maps: Readonly<Record<StringTableKey, EncodedMap>> = {
    equal: encodeTableMap('string_equal', countEntries(equal), { keySize, entries: equalEntries(equal, keySize) }),
    prefix: { ...prefixes, create: prefixes.create || usesFolders },
    postfix: encodeTableMap('string_postfix', countEntries(postfix), { entries: trieEntries(postfix, true) }),
  };
  return Object.values(maps);
}

/** A filter with `inode` always creates the map, because its file can appear later. */
function encodeInodeMap(hook: CompiledHook, context: EncodeContext): EncodedMap {
  const used = hookValues(hook).some(({ texts }) => (texts.inode ?? []).length > 0);
  if (!used) return { ...EMPTY_MAP, name: 'inodes', create: false };
  const tables = [...context.inodes].map(([slot, entries]) => ({ slot, table: { entries } }));
  return encodeTableMap('inodes', LEARNED_INODES + countEntries(tables), { entries: inodeEntries(tables) });
}

interface TableInSlot<T extends SlotTable<unknown>['table']> {
  readonly slot: number;
  readonly table: T;
}

function toSlotTables<T extends SlotTable<unknown>['table']>(tables: readonly (T | undefined)[]): TableInSlot<T>[] {
  return tables.flatMap((table, slot) => (table === undefined ? [] : [{ slot, table }]));
}

function encodeTableMap(name: string, count: number, more: Partial<EncodedMap>): EncodedMap {
  return { ...EMPTY_MAP, name, create: count > 0, maxEntries: count, ...more };
}
