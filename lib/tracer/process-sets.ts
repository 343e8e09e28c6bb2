/**
 * The process sets of all loaded policies. Each set has one bit. The base sensor finds the bits of a process in tables, by the
 * executable and the id of the process.
 */
import type { ProcessSet } from '../compiled/compiled-policy.js';
import { KernelError } from '../errors.js';
import type { NativeSession } from '../native/binding.js';
import { kernelDetail, type NativeError } from '../native/native-error.js';
import { AbiLimit, ArgumentTracking, ProcessSets as SetsLayout } from '../wire/layout.gen.js';
import { concatBytes } from '../wire/encode/tables.js';
import { argumentSlot, isEqualSet, KINDS, type Kind } from './process-set-values.js';
import type { ArgumentSession } from './running-arguments.js';

type ProcessSetSession = ArgumentSession &
  Pick<
    NativeSession,
    | 'enableProcessSets'
    | 'setProcessSetKinds'
    | 'clearSets'
    | 'beginScan'
    | 'finishScan'
    | 'putEntries'
    | 'deleteEntries'
    | 'trackArguments'
  >;

interface Entry {
  readonly set: ProcessSet;
  users: number;
}

export class ProcessSets {
  readonly #session: ProcessSetSession;
  readonly #putArguments: (session: ArgumentSession) => Promise<void>;
  readonly #sets = new Map<number, Entry>();
  /** Bits of removed sets. Processes may still have them. */
  readonly #stale = new Set<number>();
  /** Removed sets whose values may still be in the tables. */
  #removed: ProcessSet[] = [];

  /** `putArguments` passes on the arguments of all running processes. */
  constructor(session: ProcessSetSession, putArguments: (session: ArgumentSession) => Promise<void>) {
    this.#session = session;
    this.#putArguments = putArguments;
  }

  /** Returns the bit of each set. When it returns, every process has its bits, including already running processes. */
  async acquire(sets: readonly ProcessSet[]): Promise<number[]> {
    const taken: number[] = [];
    const added: number[] = [];
    await this.#deleteRemoved();
    try {
      for (const set of sets) taken.push(this.#allocateBit(set, added));
      if (added.length > 0) await this.#add(added);
    } catch (error) {
      await this.release(taken).catch(() => undefined);
      throw error;
    }
    return taken;
  }

  /** If it fails, the next change tries again. */
  async release(bits: readonly number[]): Promise<void> {
    for (const bit of bits) {
      const entry = this.#sets.get(bit);
      if (entry === undefined || --entry.users > 0) continue;
      this.#sets.delete(bit);
      this.#stale.add(bit);
      this.#removed.push(entry.set);
    }
    await this.#deleteRemoved();
  }

  /** Deletes removed sets from the tables. Must be called before their bits are used again. */
  async #deleteRemoved(): Promise<void> {
    if (this.#removed.length === 0) return;
    await this.#write(this.#removed);
    this.#setKinds();
    if (this.#removed.some(isOfArguments)) {
      await this.#writeUnknownArguments();
      await this.#trackArguments();
    }
    this.#removed = [];
  }

  /**
   * Returns the bit of an equal set, or a new bit. Bits that no process can have are used first. A bit of a removed set
   * is cleared in all processes before it is reused.
   */
  #allocateBit(set: ProcessSet, added: number[]): number {
    for (const [bit, entry] of this.#sets) {
      if (!isEqualSet(entry.set, set)) continue;
      entry.users++;
      return bit;
    }
    const bits = Array.from({ length: AbiLimit.PROCESS_SETS_MAX }, (_, bit) => bit);
    const free = bits.filter((bit) => !this.#sets.has(bit));
    const bit = free.find((candidate) => !this.#stale.has(candidate)) ?? free[0];
    if (bit === undefined) {
      throw new KernelError(
        'LIMIT_PROCESS_SETS',
        `all policies together have more than ${AbiLimit.PROCESS_SETS_MAX} different matchBinaries, matchParentBinaries, matchCmdArgs and matchPIDs with followForks`,
        'use the same list in several selectors, or load fewer policies',
      );
    }
    this.#sets.set(bit, { set, users: 1 });
    added.push(bit);
    return bit;
  }

  async #add(bits: readonly number[]): Promise<void> {
    const session = this.#session;
    await session.enableProcessSets();
    const stale = bits.filter((bit) => this.#stale.has(bit));
    if (stale.length > 0) await session.clearSets(encodeBits(stale));
    for (const bit of stale) this.#stale.delete(bit);
    // the descendants of a process must be followed from the moment when the process can be a member
    this.#setKinds();
    const sets = bits.map((bit) => (this.#sets.get(bit) as Entry).set);
    await session.beginScan(encodeBits(bits));
    try {
      await this.#write(sets);
      if (sets.some(isOfArguments)) await this.#findArguments();
    } finally {
      await session.finishScan(encodeBits(bits));
      if (sets.some(isOfArguments)) await this.#trackArguments();
    }
  }

  /** Finds the sets that already running processes have because of their arguments. The scan then uses them. */
  async #findArguments(): Promise<void> {
    await this.#writeUnknownArguments();
    await this.#session.trackArguments(ArgumentTracking.ARGUMENTS_COLLECT);
    await this.#putArguments(this.#session);
  }

  async #trackArguments(): Promise<void> {
    const isTracking = [...this.#sets.values()].some(({ set }) => isOfArguments(set));
    const { ARGUMENTS_KEEP, ARGUMENTS_IGNORE } = ArgumentTracking;
    await this.#session.trackArguments(isTracking ? ARGUMENTS_KEEP : ARGUMENTS_IGNORE);
  }

  /** Writes for each number of known arguments which sets depend on further ones. */
  async #writeUnknownArguments(): Promise<void> {
    const depending = [...this.#sets].filter(([, { set }]) => isOfArguments(set) && !set.trusted);
    const entries = Array.from({ length: AbiLimit.ARGUMENT_ANY + 1 }, (_, known) => [
      Uint8Array.of(known, 0, 0, 0),
      encodeBits(depending.filter(([, { set }]) => (argumentSlot(set) ?? 0) >= known).map(([bit]) => bit)),
    ]);
    await this.#session.putEntries('argument_unknown', concatBytes(entries.flat()));
  }

  #setKinds(): void {
    const selectBits = (isSo: (set: ProcessSet) => boolean): Uint8Array =>
      encodeBits([...this.#sets].flatMap(([bit, { set }]) => (isSo(set) ? [bit] : [])));
    this.#session.setProcessSetKinds(
      selectBits(({ follow }) => follow),
      selectBits((set) => set.trusted && !isOfArguments(set)),
      selectBits((set) => set.prefix.length > 0 && !isOfArguments(set)),
      selectBits((set) => !set.trusted && !isOfArguments(set) && set.pids.length === 0),
    );
  }

  /**
   * Updates the table entries for the values of these sets, and for values that have one of them as a prefix or
   * postfix.
   */
  async #write(changed: readonly ProcessSet[]): Promise<void> {
    for (const kind of KINDS) {
      const touched = new Set(changed.flatMap((set) => kind.values(set)));
      if (touched.size === 0) continue;
      const current = new Set([...this.#sets.values()].flatMap(({ set }) => kind.values(set)));
      const update = [...current].filter((value) => kind.matchingValues(value).some((each) => touched.has(each)));
      const remove = [...touched].filter((value) => !current.has(value));
      if (update.length > 0) await this.#putEntries(kind, update);
      if (remove.length === 0) continue;
      await this.#session.deleteEntries(kind.map, concatBytes(remove.map((value) => kind.encodeKey(value))));
    }
  }

  async #putEntries(kind: Kind, values: readonly string[]): Promise<void> {
    try {
      await this.#session.putEntries(kind.map, this.#encodeEntries(kind, values));
    } catch (error) {
      const { errno } = error as NativeError;
      if (errno !== 'E2BIG' && errno !== 'ENOSPC' && errno !== 'ENOMEM') throw error;
      throw new KernelError(
        'LIMIT_PROCESS_VALUES',
        'all matchBinaries, matchParentBinaries, matchCmdArgs and matchPIDs with followForks together have too many values for this kernel',
        'load fewer policies, or use prefixes',
        kernelDetail(error as NativeError),
      );
    }
  }

  #encodeEntries(kind: Kind, values: readonly string[]): Uint8Array {
    const bits = new Map<string, number[]>();
    for (const [bit, { set }] of this.#sets) {
      for (const value of kind.values(set)) bits.set(value, [...(bits.get(value) ?? []), bit]);
    }
    const matchingBits = (value: string): number[] =>
      kind.matchingValues(value).flatMap((each) => bits.get(each) ?? []);
    return concatBytes(values.flatMap((value) => [kind.encodeKey(value), encodeBits(matchingBits(value))]));
  }
}

/** Makes a struct process_sets. */
function encodeBits(bits: readonly number[]): Uint8Array {
  const words = new DataView(new ArrayBuffer(SetsLayout.sizeof));
  for (const bit of bits) {
    const at = SetsLayout.words + (bit >> 6) * SetsLayout.wordsStride;
    words.setBigUint64(at, words.getBigUint64(at, true) | (1n << BigInt(bit & 63)), true);
  }
  return new Uint8Array(words.buffer);
}

function isOfArguments({ argument }: ProcessSet): boolean {
  return argument !== undefined;
}
