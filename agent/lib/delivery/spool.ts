/** Keeps lines for a receiver on the disk: a bounded folder of files, oldest first. The files outlive the agent. */
import { open, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../make-folder.js';

interface Segment {
  readonly name: string;
  readonly bytes: number;
  /** The events of its lines; 0 if they are not known. */
  readonly events: number;
}

export interface SpooledLines {
  readonly lines: string[];
  /** Events of the file that somebody has removed, or that cannot be read. They are returned once. */
  readonly lost: number;
  readonly reason: string;
}

/** The members of a spool that a delivery uses. */
export interface LineStore {
  /** Events that somebody has removed while no agent was running. */
  readonly missing: number;
  /** Events that an agent had in its memory when it was killed, if that is known. */
  readonly unsaved?: number;
  readonly bytes: number;
  readonly isEmpty: boolean;
  append(lines: readonly string[]): Promise<boolean>;
  readOldest(): Promise<SpooledLines | undefined>;
  removeOldest(): Promise<void>;
}

/** Returns the number of events that lines stand for. */
type CountEvents = (lines: readonly string[]) => number;

/** Size of a disk block. A file takes whole blocks. */
const BLOCK = 4096;
/** The number of the file, and its events. */
const NAME = /^(\d{16})(?:-(\d{1,15}))?\.jsonl$/;
/** The file with the number of all spooled events. It is written before a file is removed. */
const TOTAL = 'events';

export class Spool implements LineStore {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #segments: Segment[];
  readonly #countEvents: CountEvents;
  #bytes: number;
  #next: number;
  #writing: Promise<void> = Promise.resolve();
  /** Events that somebody has removed while no agent was running. */
  readonly missing: number;

  private constructor(folder: string, maxBytes: number, segments: Segment[], total: number, count: CountEvents) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#segments = segments;
    this.#countEvents = count;
    this.#bytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#next = Number(segments.at(-1)?.name.slice(0, 16) ?? 0) + 1;
    this.missing = Math.max(0, total - this.#sumEvents());
  }

  /** Takes over the files of a previous agent. */
  static async open(folder: string, maxBytes: number, countEvents: CountEvents): Promise<Spool> {
    await makeFolder(folder, 0o700);
    const names = await readdir(folder);
    for (const name of names.filter((each) => each.endsWith('.part'))) await unlink(join(folder, name));
    const segments: Segment[] = [];
    for (const name of names.filter((each) => NAME.test(each)).sort()) {
      const events = Number(NAME.exec(name)?.[2] ?? 0);
      segments.push({ name, events, bytes: roundToBlocks((await stat(join(folder, name))).size) });
    }
    return new Spool(folder, maxBytes, segments, await readTotal(folder), countEvents);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Number of files. */
  get length(): number {
    return this.#segments.length;
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  #sumEvents(): number {
    return this.#segments.reduce((sum, { events }) => sum + events, 0);
  }

  /** Resolves with false when the spool is full. Rejects when the write fails. */
  async append(lines: readonly string[]): Promise<boolean> {
    const events = this.#countEvents(lines);
    const text = Buffer.from(`${lines.join('\n')}\n`);
    const bytes = roundToBlocks(text.length);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    const name = `${String(this.#next++).padStart(16, '0')}-${events}.jsonl`;
    const part = join(this.#folder, `${name}.part`);
    try {
      const file = await open(part, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(part, join(this.#folder, name));
    } catch (error) {
      await unlink(part).catch(() => undefined);
      throw error;
    }
    this.#segments.push({ name, bytes, events });
    this.#bytes += bytes;
    await this.#writeTotal();
    return true;
  }

  /** Returns the lines of the oldest file; none if it cannot be read. */
  async readOldest(): Promise<SpooledLines | undefined> {
    const [segment] = this.#segments;
    if (segment === undefined) return undefined;
    let lines: string[] = [];
    let reason = 'somebody has removed lines of the file';
    try {
      const text = await readFile(join(this.#folder, segment.name), 'utf8');
      lines = text.split('\n').filter((line) => line !== '');
    } catch (error) {
      reason = String(error);
    }
    const events = this.#countEvents(lines);
    this.#segments[0] = { ...segment, events };
    return { lines, lost: Math.max(0, segment.events - events), reason };
  }

  /** Returns the lines of the newest file; none if there is none, or if it cannot be read. */
  async readNewest(): Promise<string[]> {
    const segment = this.#segments.at(-1);
    if (segment === undefined) return [];
    const text = await readFile(join(this.#folder, segment.name), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  /** The file may be missing. */
  async removeOldest(): Promise<void> {
    const segment = this.#forget();
    if (segment === undefined) return;
    await this.#writeTotal();
    await unlink(join(this.#folder, segment.name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  /** One after the other: a file is appended while another one is removed. */
  #writeTotal(): Promise<void> {
    const written = this.#writing.then(() => this.#writeTotalNow());
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #writeTotalNow(): Promise<void> {
    const path = join(this.#folder, TOTAL);
    if (this.isEmpty) return unlink(path).catch(() => undefined);
    await writeFile(`${path}.part`, `${this.#sumEvents()}\n`, { mode: 0o600 });
    await rename(`${path}.part`, path);
  }

  #forget(): Segment | undefined {
    const segment = this.#segments.shift();
    this.#bytes -= segment?.bytes ?? 0;
    return segment;
  }
}

async function readTotal(folder: string): Promise<number> {
  const text = await readFile(join(folder, TOTAL), 'utf8').catch(() => '');
  return /^\d{1,15}\n$/.test(text) ? Number(text) : 0;
}

function roundToBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}
