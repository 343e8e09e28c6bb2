/**
 * What the negative cache of a group asks about its values (bpf/group_names.bpf.h): the folders of Equal and Prefix, and
 * the ends of Postfix. Pure.
 */
import { AbiLimit, GroupHeader, GroupLimit } from '../layout.gen.js';
import { withFoldersAbove } from './folders.js';
import type { GroupRuleSource } from './group-hook.js';
import { hashBytes, setCountedBits } from './tables.js';

const SLASH = '/';
const FOLDER_CHARACTER = String.fromCharCode(AbiLimit.FOLDER_SLOT);
const TREE_CHARACTER = String.fromCharCode(AbiLimit.TREE_SLOT);

/** Counts, for each folder and each end, the hooks or values that have it. */
export class GroupNames {
  readonly #folders = new Map<string, number>();
  readonly #shortEnds = new Uint32Array(256);
  readonly #ends = new Uint32Array(1 << GroupLimit.GROUP_END_BITS);
  readonly #endPairs = new Uint32Array(1 << GroupLimit.GROUP_PAIR_BITS);
  readonly #shortNames = new Uint32Array(GroupLimit.GROUP_END_BYTES);
  #unrooted = 0;

  /** Adds the rules of a hook. Returns the keys of folders that no other hook has. */
  add(rules: readonly GroupRuleSource[]): string[] {
    const folders = listFolders(rules);
    const added = folders.filter((folder) => !this.#folders.has(folder));
    for (const folder of folders) this.#folders.set(folder, (this.#folders.get(folder) ?? 0) + 1);
    this.#count(rules, 1);
    return added;
  }

  remove(rules: readonly GroupRuleSource[]): void {
    for (const folder of listFolders(rules)) {
      const left = (this.#folders.get(folder) ?? 0) - 1;
      if (left > 0) this.#folders.set(folder, left);
      else this.#folders.delete(folder);
    }
    this.#count(rules, -1);
  }

  /** The keys of folders that only this hook has. */
  ownFolders(rules: readonly GroupRuleSource[]): string[] {
    return listFolders(rules).filter((folder) => this.#folders.get(folder) === 1);
  }

  #count(rules: readonly GroupRuleSource[], sign: 1 | -1): void {
    for (const { strings, further } of rules) {
      // the ends of further filters are looked up, too
      for (const { table, keys } of further) if (table === 'postfix') for (const key of keys) this.#countEnd(key, sign);
      if (strings === undefined) continue;
      if (strings.table === 'postfix') for (const key of strings.keys) this.#countEnd(key, sign);
      else if (strings.string === 0)
        this.#unrooted += sign * strings.keys.filter((key) => !key.startsWith(SLASH)).length;
    }
  }

  /** `key`: a value of Postfix, reversed. */
  #countEnd(key: string, sign: 1 | -1): void {
    const { GROUP_END_BYTES: hashed } = GroupLimit;
    if (key.length < 2) this.#endPairs.forEach((_, i) => addAt(this.#endPairs, i, sign));
    else addAt(this.#endPairs, hashEnd(key, 2, GroupLimit.GROUP_PAIR_BITS), sign);
    if (key.length < hashed) {
      addAt(this.#shortEnds, key.charCodeAt(0), sign);
      return;
    }
    addAt(this.#ends, hashEnd(key, hashed, GroupLimit.GROUP_END_BITS), sign);
    const name = key.indexOf(SLASH);
    if (name >= 0 && name < hashed) addAt(this.#shortNames, name, sign);
  }

  /** Writes the members of struct group_header. */
  encode(view: DataView, at: number): void {
    setCountedBits(view, at + GroupHeader.shortEnds, this.#shortEnds);
    setCountedBits(view, at + GroupHeader.ends, this.#ends);
    setCountedBits(view, at + GroupHeader.endPairs, this.#endPairs);
    setCountedBits(view, at + GroupHeader.shortNames, this.#shortNames);
    view.setUint8(at + GroupHeader.hasUnrooted, Number(this.#unrooted > 0));
  }
}

function addAt(counts: Uint32Array, index: number, sign: 1 | -1): void {
  counts[index] = (counts[index] ?? 0) + sign;
}

/**
 * The keys of group_folders: a character for the slot, and a folder with a slash at its end. A key of Equal ends with NUL.
 * A further filter makes a difference between the files of its folder, too.
 */
function listFolders(rules: readonly GroupRuleSource[]): string[] {
  const all = rules.flatMap(({ strings, further }) => (strings === undefined ? [] : [strings, ...further]));
  const keys = all.flatMap((each) => (each.table === 'prefix' && each.string === 0 ? each.keys : []));
  const folders = [...new Set(keys.map((key) => key.slice(0, key.lastIndexOf(SLASH) + 1)))];
  return [
    ...folders.filter((folder) => folder !== '').map((folder) => FOLDER_CHARACTER + folder),
    ...withFoldersAbove(folders).map((folder) => TREE_CHARACTER + folder),
  ];
}

/** The hash of the last bytes of a value of Postfix. */
function hashEnd(key: string, bytes: number, bits: number): number {
  return hashBytes(Uint8Array.from(key.slice(0, bytes), (character) => character.charCodeAt(0)).reverse(), 'end', bits);
}
