/** Encodes values that are strings, paths or details, and their filters. Pure. */
import {
  excludingSelectors,
  hasTables,
  isFiltered,
  hookValues,
  type NetTableKey,
  type StringTableKey,
} from '../../compiled/compiled-hook.js';
import type { CompiledHook, StringTable, CompiledValue, ValueTable } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { buildAutomaton, type Automaton } from './automaton.js';
import { ObjectConfig, SubstringPass, Table, StringHash, StringTable as StringTableLayout } from '../layout.gen.js';
import { isObject, READS, type ReadClass } from '../reads.js';
import { encodeUtf8, hashBytes, hashedBytes, selectorMask, setBit, type HashedSide } from './tables.js';

/** Values with the cheapest filters come first. Values without a filter come last. */
const COST: Readonly<Record<ReadClass, number>> = { nothing: 0, number: 0, detail: 0, string: 1, buffer: 1, path: 2 };
const UNFILTERED = 3;

/** Returns the slots in the order in which the BPF program reads them. */
export function objectOrder(hook: CompiledHook): number[] {
  const values = hookValues(hook);
  const cost = (slot: number): number => {
    const value = values[slot] as CompiledValue;
    return COST[READS[value.type].class] + (isFiltered(value) ? 0 : UNFILTERED);
  };
  return values
    .map((_, slot) => slot)
    .filter((slot) => isObject((values[slot] as CompiledValue).type))
    .sort((a, b) => cost(a) - cost(b) || a - b);
}

export interface HookAutomaton extends Automaton {
  /** The start states of each value's scans, by slot. */
  readonly startsBySlot: readonly (readonly number[])[];
}

/** Builds one automaton for all substrings of a hook. Throws KernelError LIMIT_SUBSTRINGS. */
export function buildHookAutomaton(hook: CompiledHook): HookAutomaton {
  const scans = hookValues(hook).map(({ texts }) => texts.substrings ?? []);
  if (scans.some((each) => each.length > ObjectConfig.passesLength)) {
    const message = `${hook.call}: a text would need more than ${ObjectConfig.passesLength} searches`;
    const hint = 'use at most two filters with SubString and two with SubStringIgnCase on one argument of a selector';
    throw new KernelError('LIMIT_SUBSTRINGS', message, hint);
  }
  const automaton = buildAutomaton(scans.flat(), hook.call);
  let first = 0;
  const startsBySlot = scans.map(({ length }) => automaton.starts.slice(first, (first += length)));
  return { ...automaton, startsBySlot };
}

export function encodeObject(
  view: DataView,
  at: number,
  slot: number,
  value: CompiledValue,
  starts: readonly number[],
): void {
  const { texts, net } = value;
  view.setUint8(at + ObjectConfig.slot, slot);
  view.setUint8(at + ObjectConfig.filtered, Number(hasTables(value)));
  view.setUint8(at + ObjectConfig.passesCount, starts.length);
  view.setBigUint64(at + ObjectConfig.inode, selectorMask(texts.inode ?? []), true);
  view.setBigUint64(at + ObjectConfig.excluding, selectorMask(excludingSelectors(value)), true);
  for (const key of STRING_TABLE_KEYS) {
    encodeStringTable(view, at + ObjectConfig[key], texts[key], HASHED_SIDES[key]);
  }
  for (const key of NET_TABLE_KEYS) encodeTable(view, at + ObjectConfig[key], net[key]);
  (texts.substrings ?? []).forEach((scan, i) => {
    const pass = at + ObjectConfig.passes + i * ObjectConfig.passesStride;
    view.setBigUint64(pass + SubstringPass.positive, selectorMask(scan.selectors), true);
    view.setUint16(pass + SubstringPass.start, starts[i] as number, true);
    view.setUint8(pass + SubstringPass.ignoreCase, Number(scan.ignoreCase));
  });
}

function encodeStringTable(view: DataView, at: number, table: StringTable | undefined, side: HashedSide): void {
  encodeTable(view, at + StringTableLayout.table, table);
  if (table === undefined) return;
  view.setUint32(at + StringTableLayout.longest, maxStringBytes(table), true);
  encodeBitmap(view, at, table, side);
}

const HASHED_SIDES: Readonly<Record<StringTableKey, HashedSide>> = { equal: 'end', prefix: 'start', postfix: 'end' };
const STRING_TABLE_KEYS = Object.keys(HASHED_SIDES) as StringTableKey[];
const NET_TABLE_KEYS = Object.keys({
  source: true,
  destination: true,
} satisfies Record<NetTableKey, true>) as NetTableKey[];

/**
 * Encodes the bitmap of the hashes. A table with an empty value has none: then the program always looks in the table.
 */
function encodeBitmap(view: DataView, at: number, { entries }: StringTable, side: HashedSide): void {
  const strings = entries.map(({ value }) => encodeUtf8(value));
  const hashed = hashedBytes(strings);
  view.setUint32(at + StringTableLayout.hashed, hashed, true);
  if (hashed === 0) return;
  for (const bytes of strings) {
    const part = side === 'start' ? bytes.subarray(0, hashed) : bytes.subarray(-hashed);
    setBit(view, at + StringTableLayout.bitmap, hashBytes(part, side, StringHash.STRING_HASH_BITS));
  }
}

export function encodeTable(view: DataView, at: number, table: ValueTable<unknown> | undefined): void {
  if (table === undefined) return;
  view.setBigUint64(at + Table.positive, selectorMask(table.positive), true);
  view.setBigUint64(at + Table.used, selectorMask(table.used), true);
}

/** Number of bytes of the longest value. */
export function maxStringBytes(table: StringTable): number {
  return table.entries.reduce((max, entry) => Math.max(max, encodeUtf8(entry.value).length), 0);
}
