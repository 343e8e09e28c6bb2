/** A spool whose lines have sequence numbers. A line gets its number when it is on the disk, so no number is missing. */
import { join } from 'node:path';
import type { LineStore, SpooledLines } from '../../delivery/spool.js';
import { Spool } from '../../delivery/spool.js';
import type { Log } from '../../log/log.js';
import {
  countLineEvents,
  countLineLosses,
  countNumbers,
  formatNumberedLine,
  parseNumberedLine,
} from './numbered-line.js';
import { Numbering } from './numbering.js';

/** The file with the numbers, in the folder of the spool. */
const NUMBERS = 'numbers';
/** Characters of lines that are kept in memory as well, so that they need not be read. */
const CACHE_MAX = 2 * 1024 * 1024;

export class NumberedSpool implements LineStore {
  readonly #spool: Spool;
  readonly numbering: Numbering;
  /** The lines of each file, or undefined if they are only on the disk. */
  readonly #cached: (string[] | undefined)[];
  #cachedLength = 0;

  private constructor(spool: Spool, numbering: Numbering) {
    this.#spool = spool;
    this.numbering = numbering;
    this.#cached = Array.from({ length: spool.length }, () => undefined);
  }

  /** Takes over the files of a previous agent. */
  static async open(folder: string, maxBytes: number, log: Log): Promise<NumberedSpool> {
    const spool = await Spool.open(folder, maxBytes, sumEvents);
    const last = (await spool.readNewest()).map(parseNumberedLine).at(-1);
    const newest =
      last === undefined ? undefined : { name: last.numbering, next: last.number + countNumbers(last.json) };
    return new NumberedSpool(spool, Numbering.open(join(folder, NUMBERS), newest, log));
  }

  get missing(): number {
    return this.#spool.missing;
  }

  get unsaved(): number {
    return this.numbering.unsaved;
  }

  get bytes(): number {
    return this.#spool.bytes;
  }

  get isEmpty(): boolean {
    return this.#spool.isEmpty;
  }

  async append(lines: readonly string[]): Promise<boolean> {
    const { name, next } = this.numbering;
    let number = next;
    const numbered = lines.map((line) => {
      const text = formatNumberedLine(name, number, line);
      number += countNumbers(line);
      return text;
    });
    if (!(await this.#spool.append(numbered))) return false;
    this.numbering.addSaved(number - next);
    const length = numbered.reduce((sum, line) => sum + line.length, 0);
    const hasRoom = this.#cachedLength + length <= CACHE_MAX;
    if (hasRoom) this.#cachedLength += length;
    this.#cached.push(hasRoom ? numbered : undefined);
    return true;
  }

  async readOldest(): Promise<SpooledLines | undefined> {
    const [lines] = this.#cached;
    return lines === undefined ? this.#spool.readOldest() : { lines, lost: 0, reason: '' };
  }

  async removeOldest(): Promise<void> {
    this.numbering.write();
    const lines = this.#cached.shift();
    this.#cachedLength -= lines?.reduce((sum, line) => sum + line.length, 0) ?? 0;
    await this.#spool.removeOldest();
  }
}

/** A report of a loss is no event. */
function sumEvents(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + (countLineLosses(line) === undefined ? countLineEvents(line) : 0), 0);
}
