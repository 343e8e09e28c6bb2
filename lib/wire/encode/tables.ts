/** Encodes the entries of a hook's tables: keys and values of BPF maps. Pure. */
import type { AddressPrefix, TableEntry } from '../../compiled/compiled-policy.js';
import { FAMILIES } from '../../names/network.js';
import { AddressKey, AddressSide, InodeKey, IntKey, TrieKey, MatchEntry, StringHash } from '../layout.gen.js';

/** A table for the value in `slot`. */
export interface SlotTable<T> {
  readonly slot: number;
  readonly table: { readonly entries: readonly TableEntry<T>[] };
}

/** The kernel's own numbers for a file. On some file systems, stat(2) reports other numbers. */
export interface Inode {
  readonly device: number;
  readonly inode: bigint;
}

const { AF_INET, AF_INET6 } = FAMILIES;
/** Number of bits before the address in a key. */
const ADDRESS_LEAD_BITS = 32;

const encoder = new TextEncoder();

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** How many bytes of each string are hashed: at most the length of the shortest. */
export function hashedBytes(strings: readonly Uint8Array[]): number {
  return strings.reduce<number>((min, { length }) => Math.min(min, length), StringHash.STRING_HASH_BYTES_MAX);
}

/** The end of a string whose bytes are hashed. */
export type HashedSide = 'start' | 'end';

/**
 * Returns `bits` bits, as hash_bytes() of bpf/common.bpf.h. The bytes, at most STRING_HASH_BYTES_MAX, fill the end of a
 * word where the program shifts them.
 */
export function hashBytes(bytes: Uint8Array, side: HashedSide, bits: number): number {
  const word = new DataView(new ArrayBuffer(StringHash.STRING_HASH_BYTES_MAX));
  const first = side === 'start' ? StringHash.STRING_HASH_BYTES_MAX - bytes.length : 0;
  bytes.forEach((byte, i) => word.setUint8(first + i, byte));
  return Math.imul(word.getUint32(0, true) ^ word.getUint32(4, true), StringHash.STRING_HASH_FACTOR) >>> (32 - bits);
}

export function setBit(view: DataView, at: number, bit: number): void {
  const byte = at + (bit >>> 3);
  view.setUint8(byte, view.getUint8(byte) | (1 << (bit & 7)));
}

/** Sets the bit of each count that is not 0. */
export function setCountedBits(view: DataView, at: number, counts: Uint32Array): void {
  counts.forEach((count, bit) => {
    if (count > 0) setBit(view, at, bit);
  });
}

/** Returns a mask in which bit n stands for selector n. */
export function selectorMask(selectors: readonly number[]): bigint {
  return selectors.reduce((bits, index) => bits | (1n << BigInt(index)), 0n);
}

export function countEntries(tables: readonly SlotTable<unknown>[]): number {
  return tables.reduce((sum, { table }) => sum + table.entries.length, 0);
}

/** Encodes each entry of each table: its key, which `writeKey` writes, and its struct match_entry. */
function encodeEntries<T>(
  tables: readonly SlotTable<T>[],
  keySize: number,
  writeKey: (key: DataView, slot: number, value: T) => void,
): Uint8Array {
  const stride = keySize + MatchEntry.sizeof;
  const bytes = new Uint8Array(countEntries(tables) * stride);
  let at = 0;
  for (const { slot, table } of tables) {
    for (const entry of table.entries) {
      writeKey(new DataView(bytes.buffer, at, keySize), slot, entry.value);
      const matchEntry = new DataView(bytes.buffer, at + keySize, MatchEntry.sizeof);
      matchEntry.setBigUint64(MatchEntry.match, selectorMask(entry.match), true);
      matchEntry.setBigUint64(MatchEntry.reject, selectorMask(entry.reject), true);
      at += stride;
    }
  }
  return bytes;
}

/** Encodes the slot, then the string, padded with zeros. */
export function equalEntries(tables: readonly SlotTable<string>[], keySize: number): Uint8Array {
  return encodeEntries(tables, keySize, (key, slot, string) => {
    key.setUint8(0, slot);
    viewBytes(key).set(encodeUtf8(string), 1);
  });
}

/** Encodes struct trie_key. Postfixes are stored in reverse. */
export function trieEntries(tables: readonly SlotTable<string>[], backwards: boolean): Uint8Array {
  return encodeEntries(tables, TrieKey.sizeof, (key, slot, string) => {
    writeTrieKey(viewBytes(key), slot, encodeUtf8(string), backwards);
  });
}

export function writeTrieKey(key: Uint8Array, slot: number, bytes: Uint8Array, backwards: boolean): void {
  new DataView(key.buffer, key.byteOffset).setUint32(TrieKey.prefixBits, 8 + 8 * bytes.length, true);
  key[TrieKey.slot] = slot;
  key.set(backwards ? bytes.slice().reverse() : bytes, TrieKey.string);
}

export function intEntries(tables: readonly SlotTable<bigint>[]): Uint8Array {
  return encodeEntries(tables, IntKey.sizeof, (key, slot, value) => {
    key.setBigUint64(IntKey.value, value, true);
    key.setUint32(IntKey.slot, slot, true);
  });
}

/** Writes struct address_key. `side`: enum address_side. */
export function writeAddressKey(
  key: DataView,
  slot: number,
  side: number,
  { family, bytes, bits }: AddressPrefix,
): void {
  key.setUint32(AddressKey.prefixBits, ADDRESS_LEAD_BITS + bits, true);
  key.setUint8(AddressKey.slot, slot);
  key.setUint8(AddressKey.side, side);
  key.setUint8(AddressKey.family, family === 4 ? AF_INET : AF_INET6);
  viewBytes(key).set(bytes, AddressKey.address);
}

export function addressEntries(
  sources: readonly SlotTable<AddressPrefix>[],
  destinations: readonly SlotTable<AddressPrefix>[],
): Uint8Array {
  const writeKey =
    (side: number) =>
    (key: DataView, slot: number, network: AddressPrefix): void =>
      writeAddressKey(key, slot, side, network);
  return concatBytes([
    encodeEntries(sources, AddressKey.sizeof, writeKey(AddressSide.ADDRESS_SOURCE)),
    encodeEntries(destinations, AddressKey.sizeof, writeKey(AddressSide.ADDRESS_DESTINATION)),
  ]);
}

/** Encodes struct inode_key. Paths that lead to the same file share one entry. */
export function inodeEntries(tables: readonly SlotTable<Inode>[]): Uint8Array {
  return encodeEntries(tables.map(mergeInodes), InodeKey.sizeof, (key, slot, { device, inode }) => {
    key.setBigUint64(InodeKey.inode, inode, true);
    key.setUint32(InodeKey.device, device, true);
    key.setUint32(InodeKey.slot, slot, true);
  });
}

function mergeInodes({ slot, table }: SlotTable<Inode>): SlotTable<Inode> {
  const merged = new Map<string, TableEntry<Inode>>();
  for (const entry of table.entries) {
    const name = `${entry.value.device}:${entry.value.inode}`;
    const other = merged.get(name);
    const union = (a: readonly number[], b: readonly number[] = []): number[] => [...new Set([...a, ...b])];
    merged.set(name, {
      value: entry.value,
      match: union(entry.match, other?.match),
      reject: union(entry.reject, other?.reject),
    });
  }
  return { slot, table: { entries: [...merged.values()] } };
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function viewBytes(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
