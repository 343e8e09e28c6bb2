/**
 * Counts the events of this agent in a file, so that a killed agent loses none without a report: how many it has made,
 * and how many of them are safe on the disk. The file is written with each batch of events, without waiting for the
 * disk. So it survives the process, and not a crash of the machine, after which the numbering begins again.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import type { Log } from '../../log/log.js';

const RECORD = /^([0-9a-f]+)-([0-9a-f]+) (\d{1,15}) (\d{1,15}) *\n$/;
const RECORD_LENGTH = 64;

export class Numbering {
  /** Its name: the boot of the machine, and a random part. Numbers are unique within it. */
  readonly name: string;
  readonly #file: number;
  readonly #log: Log;
  #made: number;
  #saved: number;
  #isFailing = false;
  /** Events that an agent before this one had only in its memory when it ended. */
  readonly unsaved: number;

  private constructor(name: string, file: number, made: number, saved: number, unsaved: number, log: Log) {
    this.name = name;
    this.#file = file;
    this.#made = made;
    this.#saved = saved;
    this.unsaved = unsaved;
    this.#log = log;
  }

  /**
   * Goes on with the numbering of the file if it is of this boot. `newest` is the numbering of the last line in the
   * spool, and the number after it.
   */
  static open(path: string, newest: { readonly name: string; readonly next: number } | undefined, log: Log): Numbering {
    const before = readRecord(path);
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    const boot = readBoot();
    const saved = before === undefined || newest?.name !== before.name ? (before?.saved ?? 0) : newest.next - 1;
    const unsaved = before === undefined ? 0 : Math.max(0, before.made - Math.max(saved, before.saved));
    const numbering =
      before?.name.startsWith(`${boot}-`) === true
        ? new Numbering(before.name, file, Math.max(before.made, saved), Math.max(saved, before.saved), unsaved, log)
        : new Numbering(`${boot}-${randomBytes(4).toString('hex')}`, file, unsaved, 0, unsaved, log);
    numbering.write();
    return numbering;
  }

  /** The number of the next line in the spool. */
  get next(): number {
    return this.#saved + 1;
  }

  /** Adds events that exist now, or that have to be reported as lost after they had a number. */
  addMade(events: number): void {
    this.#made += events;
  }

  /** Adds events that are in the spool. */
  addSaved(events: number): void {
    this.#saved += events;
  }

  /** All events that the agent has made in this numbering. */
  get made(): number {
    return this.#made;
  }

  write(): void {
    try {
      writeSync(this.#file, `${`${this.name} ${this.#made} ${this.#saved}`.padEnd(RECORD_LENGTH - 1)}\n`, 0);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#log.error({ reason: String(error) }, 'the number of events cannot be written');
      this.#isFailing = true;
    }
  }

  close(): void {
    this.write();
    closeSync(this.#file);
  }
}

function readRecord(
  path: string,
): { readonly name: string; readonly made: number; readonly saved: number } | undefined {
  try {
    const [, boot, random, made, saved] = RECORD.exec(readFileSync(path, 'latin1')) ?? [];
    if (boot === undefined || random === undefined) return undefined;
    return { name: `${boot}-${random}`, made: Number(made), saved: Number(saved) };
  } catch {
    return undefined;
  }
}

/** A part of the id of this boot of the machine. */
function readBoot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replaceAll('-', '').slice(0, 12);
}
