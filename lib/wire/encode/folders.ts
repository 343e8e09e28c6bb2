/**
 * Encodes what the negative cache of paths needs about the filters of a path: see bpf/negative_cache.bpf.h and
 * docs/architecture.md. Pure.
 */
import { hasTables } from '../../compiled/compiled-hook.js';
import type { CompiledValue, StringTable } from '../../compiled/compiled-policy.js';
import { AbiLimit, MatchEntry, ObjectConfig, TrieKey } from '../layout.gen.js';
import { READS } from '../reads.js';
import { encodeUtf8, hashedBytes, selectorMask, writeTrieKey } from './tables.js';

const SLASH = '/'.charCodeAt(0);

/** Writes the members of struct object_config that only the negative cache uses. */
export function encodePathFilter(view: DataView, at: number, value: CompiledValue): void {
  view.setUint8(at + ObjectConfig.folders, Number(canCacheFolders(value)));
  view.setUint8(at + ObjectConfig.shortNames, shortNames(value.texts.postfix));
  view.setBigUint64(at + ObjectConfig.rooted, selectorMask(rootedSelectors(value)), true);
}

/** True if Equal and Prefix have the same result for most folders' files, and the end of a name decides the rest. */
export function canCacheFolders(value: CompiledValue): boolean {
  const { texts } = value;
  const isPath = READS[value.type].class === 'path';
  const onlyTables = (texts.substrings ?? []).length === 0 && (texts.inode ?? []).length === 0;
  const isHashed = (texts.postfix?.entries ?? []).every(({ value: text }) => text !== '');
  const areShort = valueFolders(value).every((folder) => encodeUtf8(folder).length <= AbiLimit.FILTER_STRING_MAX);
  return isPath && hasTables(value) && onlyTables && isHashed && areShort;
}

/**
 * Bit N is set if a value ends with a slash and N more bytes, all of them hashed. A name with fewer bytes than are
 * hashed can only match a value of its own length.
 */
function shortNames(postfix: StringTable | undefined): number {
  const values = (postfix?.entries ?? []).map(({ value }) => encodeUtf8(value));
  const hashed = hashedBytes(values);
  const lengths = values
    .map((bytes) => bytes.length - 1 - bytes.lastIndexOf(SLASH))
    .filter((length) => length < hashed);
  return lengths.reduce((bits, length) => bits | (1 << length), 0);
}

/** The selectors that need a value of Equal or Prefix, if all these values begin with a slash. */
function rootedSelectors({ texts: { equal, prefix } }: CompiledValue): number[] {
  const tables = [equal, prefix].filter((table) => table !== undefined);
  const rooted = tables.flatMap(({ positive, entries }) => {
    const matched = entries.filter(({ value }) => !value.startsWith('/')).flatMap(({ match }) => match);
    return positive.filter((selector) => !matched.includes(selector));
  });
  return [...new Set(rooted)];
}

/** The folders of values, and all folders above them. */
export function withFoldersAbove(folders: readonly string[]): string[] {
  const above = folders.flatMap((folder) =>
    [...folder].flatMap((character, i) => (character === '/' ? [folder.slice(0, i + 1)] : [])),
  );
  return [...new Set(above)];
}

/** The folders, with a slash at the end, in which a value of Equal names a file, or a value of Prefix some files. */
function valueFolders({ texts: { equal, prefix } }: CompiledValue): string[] {
  const values = [equal, prefix].flatMap((table) => table?.entries ?? []).map(({ value }) => value);
  return [...new Set(values.map((value) => value.slice(0, value.lastIndexOf('/') + 1)))].filter(
    (folder) => folder !== '',
  );
}

/** Encodes the entries of string_prefix for the folders of a value: pairs of a key and a value. */
export function folderEntries(value: CompiledValue, slot: number): Uint8Array[] {
  if (!canCacheFolders(value)) return [];
  const folders = valueFolders(value);
  return [
    ...encodeFolders(folders, slot | AbiLimit.FOLDER_SLOT),
    ...encodeFolders(withFoldersAbove(folders), slot | AbiLimit.TREE_SLOT),
  ];
}

function encodeFolders(folders: readonly string[], slot: number): Uint8Array[] {
  return folders.map((folder) => {
    const bytes = new Uint8Array(TrieKey.sizeof + MatchEntry.sizeof);
    const text = encodeUtf8(folder);
    writeTrieKey(bytes.subarray(0, TrieKey.sizeof), slot, text, false);
    const entry = new DataView(bytes.buffer, TrieKey.sizeof);
    entry.setBigUint64(MatchEntry.match, BigInt(text.length), true);
    return bytes;
  });
}
