/**
 * The values of process sets, as the keys of the base sensor's tables. A value of an argument is written with the slot of
 * its position, such as `2:--config`.
 */
import type { ProcessSet } from '../compiled/compiled-policy.js';
import { AbiLimit, PidKey, TrieKey } from '../wire/layout.gen.js';
import { encodeUtf8, writeTrieKey } from '../wire/encode/tables.js';

/** A kind of values. They are the keys of one map of the base sensor. */
export interface Kind {
  readonly map: string;
  values(set: ProcessSet): readonly string[];
  /** Returns the values that match a process whose own value is `value`. Looking them up is faster than comparing all values. */
  matchingValues(value: string): readonly string[];
  encodeKey(value: string): Uint8Array;
}

export const KINDS: readonly Kind[] = [
  {
    map: 'binary_equal',
    values: (set) => (set.argument === undefined ? set.equal : []),
    matchingValues: (value) => [value],
    encodeKey: (value) => {
      const key = new Uint8Array(AbiLimit.BINARY_PATH_MAX + 1);
      key.set(encodeUtf8(value));
      return key;
    },
  },
  {
    map: 'binary_prefix',
    values: (set) => (set.argument === undefined ? set.prefix : []),
    matchingValues: listBeginnings,
    encodeKey: (value) => makeTrieKey(0, value, false),
  },
  {
    map: 'binary_postfix',
    values: (set) => (set.argument === undefined ? set.postfix : []),
    matchingValues: listEnds,
    encodeKey: (value) => makeTrieKey(0, value, true),
  },
  {
    map: 'argument_prefix',
    // the NUL ends each argument
    values: (set) => placeValues(set, [...set.prefix, ...set.equal.map((value) => `${value}\0`)]),
    matchingValues: (value) => changeText(value, listBeginnings),
    encodeKey: (value) => makeTrieKey(Number.parseInt(value, 10), placedText(value), false),
  },
  {
    map: 'argument_postfix',
    values: (set) => placeValues(set, set.postfix),
    matchingValues: (value) => changeText(value, listEnds),
    encodeKey: (value) => makeTrieKey(Number.parseInt(value, 10), placedText(value), true),
  },
  {
    map: 'pid_sets',
    values: (set) => set.pids.map((pid) => `${pid}${set.inNamespace ? IN_NAMESPACE : ''}`),
    matchingValues: (value) => [value],
    encodeKey: (value) => {
      const key = new DataView(new ArrayBuffer(PidKey.sizeof));
      key.setUint32(PidKey.pid, Number.parseInt(value, 10), true);
      key.setUint32(PidKey.inNamespace, Number(value.endsWith(IN_NAMESPACE)), true);
      return new Uint8Array(key.buffer);
    },
  },
];
const IN_NAMESPACE = ' in its namespace';

function listBeginnings(value: string): string[] {
  return Array.from({ length: value.length }, (_, i) => value.slice(0, i + 1));
}

function listEnds(value: string): string[] {
  return Array.from({ length: value.length }, (_, i) => value.slice(i));
}

/** Returns the slot of the argument that the set compares; undefined if it does not compare an argument. */
export function argumentSlot({ argument }: ProcessSet): number | undefined {
  return argument === 'any' ? AbiLimit.ARGUMENT_ANY : argument;
}

function placeValues(set: ProcessSet, texts: readonly string[]): string[] {
  const slot = argumentSlot(set);
  return slot === undefined ? [] : texts.map((text) => `${slot}:${text}`);
}

function placedText(value: string): string {
  return value.slice(value.indexOf(':') + 1);
}

function changeText(value: string, change: (text: string) => string[]): string[] {
  const place = value.slice(0, value.indexOf(':') + 1);
  return change(placedText(value)).map((text) => place + text);
}

export function isEqualSet(a: ProcessSet, b: ProcessSet): boolean {
  const isEqualList = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((value, i) => value === y[i]);
  return (
    a.follow === b.follow &&
    a.trusted === b.trusted &&
    a.argument === b.argument &&
    KINDS.every((kind) => isEqualList(kind.values(a), kind.values(b)))
  );
}

function makeTrieKey(slot: number, value: string, backwards: boolean): Uint8Array {
  const key = new Uint8Array(TrieKey.sizeof);
  writeTrieKey(key, slot, encodeUtf8(value), backwards);
  return key;
}
