/**
 * Builds the automaton that finds all substrings of a hook in one scan of a text (Aho and Corasick, "Efficient string
 * matching", 1975). Each byte of the text is one step from a state to the next, and all steps are computed in advance.
 * Each scan has a start state and states of its own. Pure.
 */
import type { SubstringScan } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { AbiLimit, AutomatonState } from '../layout.gen.js';
import { selectorMask, textBytes } from './tables.js';

export interface Automaton {
  /** The start state of each scan. */
  readonly starts: readonly number[];
  readonly states: number;
  /** Pairs of a key and a struct automaton_state, one after the other. */
  readonly entries: Uint8Array;
}

const KEY_BYTES = 4;
const BYTE_VALUES = 256;

interface State {
  readonly next: Uint16Array;
  match: bigint;
}

const newState = (): State => ({ next: new Uint16Array(BYTE_VALUES), match: 0n });

/** Throws KernelError LIMIT_SUBSTRINGS. */
export function buildAutomaton(scans: readonly SubstringScan[], call: string): Automaton {
  // state 0 is never left and never a start, so a step to 0 means that there is no step yet
  const states: State[] = [newState()];
  const starts = scans.map((scan) => {
    const start = addTree(states, scan, call);
    completeSteps(states, start);
    return start;
  });
  return { starts, states: states.length, entries: encodeStates(states) };
}

/** Adds the needles as a tree and returns its root. */
function addTree(states: State[], scan: SubstringScan, call: string): number {
  const add = (): number => {
    if (states.length > AbiLimit.AUTOMATON_STATES_MAX) {
      throw new KernelError(
        'LIMIT_SUBSTRINGS',
        `${call}: the values of SubString together have more than ${AbiLimit.AUTOMATON_STATES_MAX} characters`,
        'split the hook into two, each with a part of the values',
      );
    }
    return states.push(newState()) - 1;
  };
  const root = add();
  for (const needle of scan.needles) {
    let at = root;
    for (const byte of textBytes(needle.text)) {
      const { next } = states[at] as State;
      if (next[byte] === 0) next[byte] = add();
      at = next[byte] as number;
    }
    (states[at] as State).match |= selectorMask(needle.selectors);
  }
  return root;
}

/**
 * Adds the steps that the tree does not have. Such a step continues with the longest suffix of the bytes read so far
 * that is also in the tree. The order is breadth first, so the steps of that suffix are already complete.
 */
function completeSteps(states: readonly State[], root: number): void {
  const suffixes = new Map<number, number>();
  const queue: number[] = [root];
  for (const at of queue) {
    const state = states[at] as State;
    const suffix = states[suffixes.get(at) ?? root] as State;
    if (at !== root) state.match |= suffix.match;
    for (let byte = 0; byte < BYTE_VALUES; byte++) {
      const child = state.next[byte] as number;
      const instead = at === root ? root : (suffix.next[byte] as number);
      if (child === 0) {
        state.next[byte] = instead;
      } else {
        suffixes.set(child, instead);
        queue.push(child);
      }
    }
  }
}

function encodeStates(states: readonly State[]): Uint8Array {
  const stride = KEY_BYTES + AutomatonState.sizeof;
  const bytes = new Uint8Array(states.length * stride);
  const view = new DataView(bytes.buffer);
  states.forEach(({ match, next }, number) => {
    const at = number * stride;
    view.setUint32(at, number, true);
    view.setBigUint64(at + KEY_BYTES + AutomatonState.match, match, true);
    // little-endian, like the machines that the BPF programs support
    bytes.set(new Uint8Array(next.buffer), at + KEY_BYTES + AutomatonState.next);
  });
  return bytes;
}
