/** Lines that wait for a collector on the disk: a bounded folder of files, oldest first. They outlive the agent. */
import { mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

interface Segment {
  readonly name: string;
  readonly bytes: number;
}

/** What a file takes at least. */
const BLOCK = 4096;
const NAME = /^\d{16}\.jsonl$/;

export class Spool {
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #segments: Segment[];
  #bytes: number;
  #next: number;

  private constructor(folder: string, mostBytes: number, segments: Segment[]) {
    this.#folder = folder;
    this.#mostBytes = mostBytes;
    this.#segments = segments;
    this.#bytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#next = Number(segments.at(-1)?.name.slice(0, 16) ?? 0) + 1;
  }

  /** Takes over what an earlier agent has left. */
  static async open(folder: string, mostBytes: number): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    for (const name of names.filter((each) => each.endsWith('.part'))) await unlink(join(folder, name));
    const segments: Segment[] = [];
    for (const name of names.filter((each) => NAME.test(each)).sort()) {
      segments.push({ name, bytes: blocks((await stat(join(folder, name))).size) });
    }
    return new Spool(folder, mostBytes, segments);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Resolves with false when the lines find no room. Rejects when the disk does not take them. */
  async append(lines: readonly string[]): Promise<boolean> {
    const text = Buffer.from(`${lines.join('\n')}\n`);
    const bytes = blocks(text.length);
    if (this.#bytes + bytes > this.#mostBytes) return false;
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

  /** The oldest lines. Undefined when there are none. A file that cannot be read rejects, and is left out from then on. */
  async oldest(): Promise<string[] | undefined> {
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

function blocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}
