/** Checks the lines of a chain one after the other: nothing was removed, changed, repeated or reordered. */
import type { ChainProblemCode } from '../../types/codes.js';
import type { Checkpoint } from './checkpoint.js';
import { CHAIN_START, hashLine, parseLink, type ChainPosition } from './line.js';

export interface ChainProblem {
  readonly code: ChainProblemCode;
  /** File and line, as `FILE:LINE`; the file alone at its end. */
  readonly place: string;
  readonly message: string;
}

export interface ChainResult {
  readonly lines: number;
  /** Numbers of the first and the last line; 0 without lines. */
  readonly first: number;
  readonly last: number;
  /** The newest checkpoint whose line was found unchanged. */
  readonly checkpoint: Checkpoint | undefined;
  /** The events that the lines report as lost, by reason. */
  readonly lost: ReadonlyMap<string, number>;
  /** Problems, including those that are too many to be kept. */
  readonly problemCount: number;
  readonly problems: readonly ChainProblem[];
}

/** Problems that are kept with their message. */
const PROBLEMS_MAX = 100;
const LOSS = Buffer.from('{"lost":');

export class ChainVerifier {
  readonly #checkpoints: ReadonlyMap<number, Checkpoint>;
  readonly #newest: Checkpoint | undefined;
  #last: ChainPosition | undefined;
  #lastPlace = '';
  #first = 0;
  #lines = 0;
  #found: Checkpoint | undefined;
  readonly #lost = new Map<string, number>();
  readonly #problems: ChainProblem[] = [];
  #problemCount = 0;

  /** The signatures of the checkpoints have been checked. */
  constructor(checkpoints: readonly Checkpoint[]) {
    this.#checkpoints = new Map(checkpoints.map((each) => [each.sequence, each]));
    this.#newest = checkpoints.reduce<Checkpoint | undefined>(
      (newest, each) => (newest === undefined || each.sequence >= newest.sequence ? each : newest),
      undefined,
    );
  }

  report(code: ChainProblemCode, place: string, message: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ code, place, message });
  }

  /** The lines come in the order of their files. `line` has no newline. */
  add(line: Uint8Array, place: string): void {
    const link = parseLink(line);
    if (link === undefined) return this.report('CHAIN_LINE', place, 'the line has no link of a chain');
    const { sequence, previous } = link;
    const last = this.#last;
    const hash = hashLine(line);
    this.#lines += 1;
    if (last === undefined) this.#begin(sequence, previous, place);
    else if (sequence <= last.sequence) {
      return this.report('CHAIN_ORDER', place, `line ${sequence} follows line ${last.sequence}: repeated or moved`);
    } else if (sequence > last.sequence + 1) this.#reportMissing(last.sequence + 1, sequence - 1, place);
    else if (previous !== last.hash) {
      const change = `line ${last.sequence} is not the one that line ${sequence} was written after`;
      this.report('CHAIN_CHANGED', this.#lastPlace, change);
    }
    this.#last = { sequence, hash };
    this.#lastPlace = place;
    this.#checkSigned(sequence, hash, place);
    this.#countLoss(line);
  }

  #begin(sequence: number, previous: string, place: string): void {
    this.#first = sequence;
    if (sequence === 1 && previous !== CHAIN_START.hash) {
      this.report('CHAIN_CHANGED', place, 'the first line does not begin a chain');
    }
    const oldest = this.#newest?.oldest ?? sequence;
    if (sequence > oldest) this.#reportMissing(oldest, sequence - 1, place);
  }

  #reportMissing(from: number, to: number, place: string): void {
    const lines = from === to ? `line ${from} is` : `lines ${from} to ${to} are`;
    this.report('CHAIN_MISSING', place, `${lines} missing before this line`);
  }

  #checkSigned(sequence: number, hash: string, place: string): void {
    const checkpoint = this.#checkpoints.get(sequence);
    if (checkpoint === undefined) return;
    if (checkpoint.hash === hash) this.#found = checkpoint;
    else this.report('CHAIN_CHANGED', place, `line ${sequence} is not the one that was signed at ${checkpoint.time}`);
  }

  #countLoss(line: Uint8Array): void {
    if (LOSS.compare(line, 0, LOSS.length) !== 0) return;
    try {
      const { lost } = JSON.parse(Buffer.from(line).toString()) as { lost: { reason?: unknown; count?: unknown } };
      const reason = String(lost.reason);
      this.#lost.set(reason, (this.#lost.get(reason) ?? 0) + Number(lost.count));
    } catch {
      // an unchanged line is JSON, and a changed one has been reported
    }
  }

  /** `place` is the last file. */
  finish(place: string): ChainResult {
    const last = this.#last?.sequence ?? 0;
    const signed = this.#newest?.sequence ?? 0;
    if (signed > last) {
      const lines = signed === last + 1 ? `line ${signed} is` : `lines ${last + 1} to ${signed} are`;
      this.report(
        'CHAIN_MISSING',
        place,
        `${lines} missing at the end: the last one was signed at ${this.#newest?.time}`,
      );
    }
    return {
      lines: this.#lines,
      first: this.#first,
      last,
      checkpoint: this.#found,
      lost: this.#lost,
      problemCount: this.#problemCount,
      problems: this.#problems,
    };
  }
}
