/**
 * Builds the automaton that finds all substrings of a hook in one scan of a string (Aho and Corasick, "Efficient string
 * matching", 1975). Each byte of the string is one transition, and all transitions are computed in advance. Each scan
 * has a start state and states of its own. Pure.
 */
import type { SubstringScan } from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { AbiLimit, AutomatonState } from '../layout.gen.js';
import { selectorMask, encodeUtf8 } from './tables.js';

export interface Automaton {
  /** The start state of each scan. */
  readonly starts: readonly number[];
  readonly states: number;
  /** Pairs of a key and a struct automaton_state, one after the other. */
  readonly entries: Uint8Array;
}

const KEY_BYTES = 4;
const BYTE_VALUES = 256;

interface AutomatonNode {
  readonly next: Uint16Array;
  match: bigint;
}

const createState = (): AutomatonNode => ({ next: new Uint16Array(BYTE_VALUES), match: 0n });

/** Throws KernelError LIMIT_SUBSTRINGS. */
export function buildAutomaton(scans: readonly SubstringScan[], call: string): Automaton {
  // State 0 is never used: a transition to 0 means that there is no transition yet.
  const states: AutomatonNode[] = [createState()];
  const starts = scans.map((scan) => {
    const start = addTrie(states, scan, call);
    completeTransitions(states, start);
    return start;
  });
  return { starts, states: states.length, entries: encodeStates(states) };
}

/** Adds the needles as a trie and returns its root. */
function addTrie(states: AutomatonNode[], scan: SubstringScan, call: string): number {
  const addState = (): number => {
    if (states.length > AbiLimit.AUTOMATON_STATES_MAX) {
      throw new KernelError(
        'LIMIT_SUBSTRINGS',
        `${call}: the values of SubString together have more than ${AbiLimit.AUTOMATON_STATES_MAX} characters`,
        'split the hook into two, each with a part of the values',
      );
    }
    return states.push(createState()) - 1;
  };
  const root = addState();
  for (const needle of scan.needles) {
    let at = root;
    for (const byte of encodeUtf8(needle.text)) {
      const { next } = states[at] as AutomatonNode;
      if (next[byte] === 0) next[byte] = addState();
      at = next[byte] as number;
    }
    (states[at] as AutomatonNode).match |= selectorMask(needle.selectors);
  }
  return root;
}

/**
 * Adds the transitions that the trie does not have. Such a transition leads to the longest suffix of the bytes read so
 * far that is also in the trie. The order is breadth first, so the transitions of that suffix are already complete.
 */
function completeTransitions(states: readonly AutomatonNode[], root: number): void {
  const suffixes = new Map<number, number>();
  const queue: number[] = [root];
  for (const at of queue) {
    const state = states[at] as AutomatonNode;
    const suffix = states[suffixes.get(at) ?? root] as AutomatonNode;
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

function encodeStates(states: readonly AutomatonNode[]): Uint8Array {
  const stride = KEY_BYTES + AutomatonState.sizeof;
  const bytes = new Uint8Array(states.length * stride);
  const view = new DataView(bytes.buffer);
  states.forEach(({ match, next }, number) => {
    const at = number * stride;
    view.setUint32(at, number, true);
    view.setBigUint64(at + KEY_BYTES + AutomatonState.match, match, true);
    // All supported machines are little-endian.
    bytes.set(new Uint8Array(next.buffer), at + KEY_BYTES + AutomatonState.next);
  });
  return bytes;
}
