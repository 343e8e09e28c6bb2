/** Keeps lines for a collector on the disk: a bounded folder of files, oldest first. The files outlive the agent. */
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

interface Segment {
  readonly name: string;
  readonly bytes: number;
}

/** Size of a disk block. A file takes whole blocks. */
const BLOCK = 4096;
const NAME = /^\d{16}\.jsonl$/;

export class Spool {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #segments: Segment[];
  #bytes: number;
  #next: number;

  private constructor(folder: string, maxBytes: number, segments: Segment[]) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#segments = segments;
    this.#bytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#next = Number(segments.at(-1)?.name.slice(0, 16) ?? 0) + 1;
  }

  /** Takes over the files of a previous agent. */
  static async open(folder: string, maxBytes: number): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    for (const name of names.filter((each) => each.endsWith('.part'))) await unlink(join(folder, name));
    const segments: Segment[] = [];
    for (const name of names.filter((each) => NAME.test(each)).sort()) {
      segments.push({ name, bytes: roundToBlocks((await stat(join(folder, name))).size) });
    }
    return new Spool(folder, maxBytes, segments);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Resolves with false when the spool is full. Rejects when the write fails. */
  async append(lines: readonly string[]): Promise<boolean> {
    const text = Buffer.from(`${lines.join('\n')}\n`);
    const bytes = roundToBlocks(text.length);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    const name = `${String(this.#next++).padStart(16, '0')}.jsonl`;
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
    this.#segments.push({ name, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Returns the lines of the oldest file, or undefined. Rejects for a file that cannot be read, and then skips it. */
  async readOldest(): Promise<string[] | undefined> {
    const [segment] = this.#segments;
    if (segment === undefined) return undefined;
    try {
      return (await readFile(join(this.#folder, segment.name), 'utf8')).split('\n').filter((line) => line !== '');
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  async removeOldest(): Promise<void> {
    const segment = this.#forget();
    if (segment !== undefined) await unlink(join(this.#folder, segment.name));
  }

  #forget(): Segment | undefined {
    const segment = this.#segments.shift();
    this.#bytes -= segment?.bytes ?? 0;
    return segment;
  }
}

function roundToBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}
