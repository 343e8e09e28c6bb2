/** Encodes values that are texts, paths or details, and their filters. Pure. */
import { hasTables, isFiltered, valuesOf } from '../../compiled/compiled-hook.js';
import type { CompiledHook, TextTable, CompiledValue, ValueTable } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { buildAutomaton, type Automaton } from './automaton.js';
import { ObjectConfig, SubstringPass, Table, TextHash, TextTable as TextTableLayout } from '../layout.gen.js';
import { isObject, READS, type ReadClass } from '../reads.js';
import { selectorMask, textBytes } from './tables.js';

/** Values with the cheapest filters come first. Values without a filter come last. */
const COST: Readonly<Partial<Record<ReadClass, number>>> = { detail: 0, text: 1, path: 2 };
const UNFILTERED = 3;

/** Returns the slots in the order in which the BPF program reads them. */
export function objectOrder(hook: CompiledHook): number[] {
  const values = valuesOf(hook);
  const cost = (slot: number): number => {
    const value = values[slot] as CompiledValue;
    return (COST[READS[value.type].class] ?? 0) + (isFiltered(value) ? 0 : UNFILTERED);
  };
  return values
    .map((_, slot) => slot)
    .filter((slot) => isObject((values[slot] as CompiledValue).type))
    .sort((a, b) => cost(a) - cost(b) || a - b);
}

export interface HookAutomaton extends Automaton {
  /** The start states of each value's scans, by slot. */
  readonly startsOf: readonly (readonly number[])[];
}

/** Builds one automaton for all substrings of a hook. Throws KernelError LIMIT_SUBSTRINGS. */
export function automatonOf(hook: CompiledHook): HookAutomaton {
  const scans = valuesOf(hook).map(({ texts }) => texts.substrings ?? []);
  if (scans.some((each) => each.length > ObjectConfig.passesLength)) {
    const message = `${hook.call}: a text would need more than ${ObjectConfig.passesLength} searches`;
    const hint = 'use at most two filters with SubString and two with SubStringIgnCase on one argument of a selector';
    throw new KernelError('LIMIT_SUBSTRINGS', message, hint);
  }
  const automaton = buildAutomaton(scans.flat(), hook.call);
  let first = 0;
  const startsOf = scans.map(({ length }) => automaton.starts.slice(first, (first += length)));
  return { ...automaton, startsOf };
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
  encodeTextTable(view, at + ObjectConfig.equal, texts.equal, 'end');
  encodeTextTable(view, at + ObjectConfig.prefix, texts.prefix, 'start');
  encodeTextTable(view, at + ObjectConfig.postfix, texts.postfix, 'end');
  encodeTable(view, at + ObjectConfig.source, net.source);
  encodeTable(view, at + ObjectConfig.destination, net.destination);
  (texts.substrings ?? []).forEach((scan, i) => {
    const pass = at + ObjectConfig.passes + i * ObjectConfig.passesStride;
    view.setBigUint64(pass + SubstringPass.positive, selectorMask(scan.selectors), true);
    view.setUint16(pass + SubstringPass.start, starts[i] as number, true);
    view.setUint8(pass + SubstringPass.ignoreCase, Number(scan.ignoreCase));
  });
}

function encodeTextTable(view: DataView, at: number, table: TextTable | undefined, side: HashedSide): void {
  encodeTable(view, at + TextTableLayout.table, table);
  if (table === undefined) return;
  view.setUint32(at + TextTableLayout.longest, longest(table), true);
  encodeBitmap(view, at, table, side);
}

/** The side of a text whose bytes are hashed. */
type HashedSide = 'start' | 'end';

/** Without a bitmap, which an empty value makes impossible, the program always looks at the table. */
function encodeBitmap(view: DataView, at: number, { entries }: TextTable, side: HashedSide): void {
  const texts = entries.map(({ value }) => textBytes(value));
  const hashed = texts.reduce<number>((least, { length }) => Math.min(least, length), TextHash.TEXT_HASHED_MAX);
  view.setUint32(at + TextTableLayout.hashed, hashed, true);
  if (hashed === 0) return;
  for (const text of texts) {
    const hash = textHash(side === 'start' ? text.subarray(0, hashed) : text.subarray(-hashed), side);
    const byte = at + TextTableLayout.bitmap + (hash >>> 3);
    view.setUint8(byte, view.getUint8(byte) | (1 << (hash & 7)));
  }
}

/** The hash of is_in_bitmap() in bpf/texts.bpf.h. The bytes are at one end of a word, like those that the program shifts there. */
function textHash(bytes: Uint8Array, side: HashedSide): number {
  const word = new DataView(new ArrayBuffer(TextHash.TEXT_HASHED_MAX));
  const first = side === 'start' ? TextHash.TEXT_HASHED_MAX - bytes.length : 0;
  bytes.forEach((byte, i) => word.setUint8(first + i, byte));
  const mixed = Math.imul(word.getUint32(0, true) ^ word.getUint32(4, true), TextHash.TEXT_HASH_FACTOR);
  return mixed >>> (32 - TextHash.TEXT_HASH_BITS);
}

export function encodeTable(view: DataView, at: number, table: ValueTable<unknown> | undefined): void {
  if (table === undefined) return;
  view.setBigUint64(at + Table.positive, selectorMask(table.positive), true);
  view.setBigUint64(at + Table.used, selectorMask(table.used), true);
}

/** Returns the number of bytes of the longest value. */
export function longest(table: TextTable): number {
  return table.entries.reduce((most, entry) => Math.max(most, textBytes(entry.value).length), 0);
}
