/**
 * The selectors that can still match a call. It is the set of the BPF programs (bpf/hook.bpf.h), but twice: a filter that
 * cannot be evaluated removes its selectors from those that match for certain, and keeps them among those that may match.
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
  RATE_LIMIT: 'an earlier equal event may suppress this one',
};

export class Candidates {
  #maybe: bigint;
  #sure: bigint;
  readonly #doubts: { readonly code: UncertaintyCode; readonly about: string; readonly mask: bigint }[] = [];

  constructor(selectors: number) {
    this.#maybe = (1n << BigInt(Math.max(1, selectors))) - 1n;
    this.#sure = this.#maybe;
  }

  get areNone(): boolean {
    return this.#maybe === 0n;
  }

  mayHave(mask: bigint): boolean {
    return (this.#maybe & mask) !== 0n;
  }

  /** True if a selector of the mask is left for certain. */
  haveSurely(mask: bigint): boolean {
    return (this.#sure & mask) !== 0n;
  }

  keep(mask: bigint): void {
    this.#maybe &= mask;
    this.#sure &= mask;
  }

  drop(mask: bigint): void {
    this.keep(~mask);
  }

  /** The filters of these selectors cannot be evaluated. */
  doubt(mask: bigint, code: UncertaintyCode, about: string): void {
    const concerned = this.#maybe & mask;
    if (concerned === 0n) return;
    this.#sure &= ~concerned;
    this.#doubts.push({ code, about, mask: concerned });
  }

  /** The selectors that may match, lowest first, up to the first that matches for certain. */
  inOrder(): { readonly selectors: readonly number[]; readonly endsSurely: boolean } {
    const selectors: number[] = [];
    for (let selector = 0; this.#maybe >> BigInt(selector) !== 0n; selector++) {
      if (!this.mayHave(bit(selector))) continue;
      selectors.push(selector);
      if (this.haveSurely(bit(selector))) return { selectors, endsSurely: true };
    }
    return { selectors, endsSurely: false };
  }

  /** Why it is not certain which of these selectors matches. */
  doubtsAbout(selectors: readonly number[]): Uncertainty[] {
    const mask = selectorMask(selectors);
    return this.#doubts.filter((doubt) => (doubt.mask & mask) !== 0n).map(({ code, about }) => doubtOf(code, about));
  }
}

export function doubtOf(code: UncertaintyCode, about: string): Uncertainty {
  return { code, about, meaning: MEANINGS[code] };
}

function bit(selector: number): bigint {
  return 1n << BigInt(selector);
}
