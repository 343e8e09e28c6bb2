/**
 * The binary sets of all loaded policies: a bit each, and the tables by which the base sensor finds the bits of an
 * executable.
 */
import type { BinarySet } from '../policy/image.js';
import { KernelError } from '../errors.js';
import type { NativeSession } from '../native/binding.js';
import { AbiLimit, BinarySets, TrieKey } from '../wire/layout.gen.js';
import { textBytes, writeTrieKey } from '../wire/tables.js';

type Kind = 'equal' | 'prefix' | 'postfix';

const MAPS: Readonly<Record<Kind, string>> = {
  equal: 'binary_equal',
  prefix: 'binary_prefix',
  postfix: 'binary_postfix',
};
const KINDS: readonly Kind[] = ['equal', 'prefix', 'postfix'];
const EQUAL_KEY_BYTES = AbiLimit.BINARY_TEXT_MAX + 1;

interface Entry {
  readonly set: BinarySet;
  users: number;
}

export class BinaryRegistry {
  readonly #session: NativeSession;
  readonly #sets = new Map<number, Entry>();

  constructor(session: NativeSession) {
    this.#session = session;
  }

  /** The bit of each set. Every process has its bits when this returns, those that run already included. */
  acquire(sets: readonly BinarySet[]): number[] {
    if (sets.length === 0) return [];
    const taken: number[] = [];
    try {
      for (const set of sets) taken.push(this.#take(set));
      this.#session.useBinarySets();
      this.#write(sets);
      // twice: a process may fork, while it has no bits yet, a child that the walk has passed
      this.#session.scanBinaries();
      this.#session.scanBinaries();
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return taken;
  }

  release(bits: readonly number[]): void {
    const gone: BinarySet[] = [];
    for (const bit of bits) {
      const entry = this.#sets.get(bit);
      if (entry === undefined || --entry.users > 0) continue;
      this.#sets.delete(bit);
      gone.push(entry.set);
    }
    if (gone.length > 0) this.#write(gone);
  }

  #take(set: BinarySet): number {
    for (const [bit, entry] of this.#sets) {
      if (sameSet(entry.set, set)) {
        entry.users++;
        return bit;
      }
    }
    for (let bit = 0; bit < AbiLimit.BINARY_SETS_MAX; bit++) {
      if (this.#sets.has(bit)) continue;
      this.#sets.set(bit, { set, users: 1 });
      return bit;
    }
    throw new KernelError(
      'LIMIT_BINARY_SETS',
      `all policies together have more than ${AbiLimit.BINARY_SETS_MAX} different matchBinaries`,
      'use the same list of binaries in several selectors, or load fewer policies',
    );
  }

  /** Brings the entries of these sets' values, and of those that they are a prefix of, up to date. */
  #write(changed: readonly BinarySet[]): void {
    for (const kind of KINDS) {
      const touched = new Set(changed.flatMap((set) => set[kind]));
      if (touched.size === 0) continue;
      const current = new Set([...this.#sets.values()].flatMap((entry) => entry.set[kind]));
      const inherits = (value: string): boolean => kind !== 'equal' && [...touched].some((t) => fits(kind, value, t));
      const update = [...current].filter((value) => touched.has(value) || inherits(value));
      const remove = [...touched].filter((value) => !current.has(value));
      if (update.length > 0) this.#session.putEntries(MAPS[kind], this.#entries(kind, update));
      if (remove.length > 0) this.#session.deleteEntries(MAPS[kind], concat(remove.map((value) => keyOf(kind, value))));
    }
  }

  #entries(kind: Kind, values: readonly string[]): Uint8Array {
    return concat(
      values.flatMap((value) => {
        const words = new BigUint64Array(AbiLimit.BINARY_WORDS);
        for (const [bit, { set }] of this.#sets) {
          if (!set[kind].some((other) => fits(kind, value, other))) continue;
          words[bit >> 6] = (words[bit >> 6] as bigint) | (1n << BigInt(bit & 63));
        }
        return [keyOf(kind, value), new Uint8Array(words.buffer, 0, BinarySets.sizeof)];
      }),
    );
  }
}

/** Whether a text that is exactly `text` satisfies `value`. */
function fits(kind: Kind, text: string, value: string): boolean {
  if (kind === 'equal') return text === value;
  return kind === 'prefix' ? text.startsWith(value) : text.endsWith(value);
}

function sameSet(a: BinarySet, b: BinarySet): boolean {
  const same = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((value, i) => value === y[i]);
  return KINDS.every((kind) => same(a[kind], b[kind]));
}

function keyOf(kind: Kind, value: string): Uint8Array {
  const text = textBytes(value);
  if (kind === 'equal') {
    const key = new Uint8Array(EQUAL_KEY_BYTES);
    key.set(text);
    return key;
  }
  const key = new Uint8Array(TrieKey.sizeof);
  writeTrieKey(key, 0, text, kind === 'postfix');
  return key;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
