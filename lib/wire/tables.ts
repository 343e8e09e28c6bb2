/** Entries of the text tables: keys and values as the kernel's maps want them. Pure. */
import type { TextTable } from '../policy/image.js';
import { TextVerdict, TrieKey } from './layout.gen.js';

export interface SlotTable {
  readonly slot: number;
  readonly table: TextTable;
}

const encoder = new TextEncoder();

export function textBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bit n is selector n. */
export function selectorMask(selectors: readonly number[]): bigint {
  return selectors.reduce((bits, index) => bits | (1n << BigInt(index)), 0n);
}

/** For each entry of each table: its key, written by `writeKey`, and its verdict. */
function encodeEntries(
  tables: readonly SlotTable[],
  keySize: number,
  writeKey: (key: Uint8Array, slot: number, text: Uint8Array) => void,
): Uint8Array {
  const total = tables.reduce((sum, { table }) => sum + table.entries.length, 0);
  const stride = keySize + TextVerdict.sizeof;
  const bytes = new Uint8Array(total * stride);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { slot, table } of tables) {
    for (const entry of table.entries) {
      writeKey(bytes.subarray(at, at + keySize), slot, textBytes(entry.value));
      view.setBigUint64(at + keySize + TextVerdict.match, selectorMask(entry.match), true);
      view.setBigUint64(at + keySize + TextVerdict.reject, selectorMask(entry.reject), true);
      at += stride;
    }
  }
  return bytes;
}

/** struct equal_key: the slot, then the text, padded with zeros. */
export function equalEntries(tables: readonly SlotTable[], keySize: number): Uint8Array {
  return encodeEntries(tables, keySize, (key, slot, text) => {
    key[0] = slot;
    key.set(text, 1);
  });
}

/** struct trie_key; postfixes are stored backwards. */
export function trieEntries(tables: readonly SlotTable[], backwards: boolean): Uint8Array {
  return encodeEntries(tables, TrieKey.sizeof, (key, slot, text) => writeTrieKey(key, slot, text, backwards));
}

export function writeTrieKey(key: Uint8Array, slot: number, text: Uint8Array, backwards: boolean): void {
  new DataView(key.buffer, key.byteOffset).setUint32(TrieKey.prefixBits, 8 + 8 * text.length, true);
  key[TrieKey.slot] = slot;
  key.set(backwards ? text.slice().reverse() : text, TrieKey.text);
}
