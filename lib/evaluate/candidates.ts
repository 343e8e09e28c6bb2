/**
 * The candidate selectors of a call, as the BPF programs keep them (bpf/hook.bpf.h), but in two sets: the selectors that
 * may match, and those that match for certain. A filter that cannot be evaluated removes its selectors from the second set.
 */
import type { Uncertainty, UncertaintyCode } from '../../types/recording.js';
import { selectorMask } from '../wire/encode/tables.js';

const MEANINGS: Readonly<Record<UncertaintyCode, string>> = {
  VALUE_NOT_RECORDED: 'the recorded hook does not read this value',
  VALUE_INCOMPLETE: 'only a part of the value was recorded',
  VALUE_REWRITTEN: 'the kernel compares a name of this file that events do not have',
  FILE_IDENTITY: 'which file the path of the policy named at that time is not recorded',
  PROCESS_STATE: 'the state of the process at the call is not recorded, only that at its exec',
  PROCESS_HISTORY: 'which programs the process and its ancestors ran before is not recorded completely',
  PROCESS_UNKNOWN: 'the executable is not known, as the process was not seen from its start',
  SOCKET_OWNER: 'the event is about the owner of a socket, and not about the process that called',
  SCOPE: 'the container of the process at the call is not recorded',
  CALLS_NOT_RECORDED: 'calls of this hook may be missing in the recording',
  RATE_LIMIT: 'an earlier equal event may suppress this one',
};

export class Candidates {
  #possible: bigint;
  #certain: bigint;
  readonly #uncertainties: { readonly code: UncertaintyCode; readonly about: string; readonly mask: bigint }[] = [];

  constructor(selectors: number) {
    this.#possible = (1n << BigInt(Math.max(1, selectors))) - 1n;
    this.#certain = this.#possible;
  }

  get isEmpty(): boolean {
    return this.#possible === 0n;
  }

  hasPossible(mask: bigint): boolean {
    return (this.#possible & mask) !== 0n;
  }

  /** True if a selector of the mask still matches for certain. */
  hasCertain(mask: bigint): boolean {
    return (this.#certain & mask) !== 0n;
  }

  keep(mask: bigint): void {
    this.#possible &= mask;
    this.#certain &= mask;
  }

  drop(mask: bigint): void {
    this.keep(~mask);
  }

  /** Adds the reason why filters of these selectors cannot be evaluated. `about` names the value. */
  addUncertainty(mask: bigint, code: UncertaintyCode, about: string): void {
    const concerned = this.#possible & mask;
    if (concerned === 0n) return;
    this.#certain &= ~concerned;
    this.#uncertainties.push({ code, about, mask: concerned });
  }

  /** The selectors that may match, lowest first, up to the first that matches for certain. */
  listMatches(): { readonly selectors: readonly number[]; readonly isLastCertain: boolean } {
    const selectors: number[] = [];
    for (let selector = 0; this.#possible >> BigInt(selector) !== 0n; selector++) {
      if (!this.hasPossible(selectorBit(selector))) continue;
      selectors.push(selector);
      if (this.hasCertain(selectorBit(selector))) return { selectors, isLastCertain: true };
    }
    return { selectors, isLastCertain: false };
  }

  /** The reasons why it is not certain which of these selectors matches. */
  listUncertainties(selectors: readonly number[]): Uncertainty[] {
    const mask = selectorMask(selectors);
    return this.#uncertainties
      .filter((uncertainty) => (uncertainty.mask & mask) !== 0n)
      .map(({ code, about }) => makeUncertainty(code, about));
  }
}

export function makeUncertainty(code: UncertaintyCode, about: string): Uncertainty {
  return { code, about, meaning: MEANINGS[code] };
}

function selectorBit(selector: number): bigint {
  return 1n << BigInt(selector);
}
