/** The bits of a struct group_set: one for each rule, and a summary of the words that are not empty. Pure. */
import { GroupSet } from '../layout.gen.js';

export function setBit(bytes: Uint8Array, rule: number): void {
  setBitAt(bytes, GroupSet.words, rule);
  setBitAt(bytes, GroupSet.summary, rule >> 6);
}

export function hasBit(bytes: Uint8Array, rule: number): boolean {
  return ((bytes[GroupSet.words + (rule >> 3)] ?? 0) & (1 << (rule & 7))) !== 0;
}

/** Returns true if the set had the rule. */
export function clearBit(bytes: Uint8Array, rule: number): boolean {
  if (!hasBit(bytes, rule)) return false;
  clearBitAt(bytes, GroupSet.words, rule);
  const word = rule >> 6;
  const first = GroupSet.words + word * GroupSet.wordsStride;
  const isEmpty = bytes.subarray(first, first + GroupSet.wordsStride).every((each) => each === 0);
  if (isEmpty) clearBitAt(bytes, GroupSet.summary, word);
  return true;
}

export function setBitAt(bytes: Uint8Array, at: number, bit: number): void {
  bytes[at + (bit >> 3)] = (bytes[at + (bit >> 3)] ?? 0) | (1 << (bit & 7));
}

export function clearBitAt(bytes: Uint8Array, at: number, bit: number): void {
  bytes[at + (bit >> 3)] = (bytes[at + (bit >> 3)] ?? 0) & ~(1 << (bit & 7));
}
