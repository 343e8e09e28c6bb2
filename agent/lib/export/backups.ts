/** Names, counts, compresses and removes the files that rotation leaves. */
import { createReadStream, createWriteStream } from 'node:fs';
import { access, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Log } from '../log/log.js';

export interface BackupOptions {
  /** Maximum of files. The oldest ones are removed. */
  readonly maxFiles: number;
  readonly compress: boolean;
  /** Called before an old file is removed. */
  readonly beforeRemoval?: ((path: string) => Promise<void>) | undefined;
}

/** Length of the time in a file name. */
const STAMP_LENGTH = '2026-01-31T12-00-00.000Z'.length;

export class Backups {
  readonly #folder: string;
  readonly #stem: string;
  readonly #extension: string;
  readonly #pattern: RegExp;
  readonly #options: BackupOptions;
  #maxFiles: number;
  readonly #log: Log;
  #tidying: Promise<void> = Promise.resolve();

  constructor(path: string, options: BackupOptions, log: Log) {
    this.#folder = dirname(path);
    this.#extension = extname(path);
    this.#stem = basename(path, this.#extension);
    const escape = (text: string): string => text.replace(/[^\w]/g, '\\$&');
    const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d\\.\\d{3}Z';
    this.#pattern = new RegExp(`^${escape(this.#stem)}-${time}${escape(this.#extension)}(?:\\.gz(?:\\.part)?)?$`);
    this.#options = options;
    this.#maxFiles = options.maxFiles;
    this.#log = log;
  }

  /** For the next `tidy`. */
  setMaxFiles(count: number): void {
    this.#maxFiles = count;
  }

  /**
   * Finds a name that no file has. Names sort in the order of the files even after the clock was set back. Otherwise
   * the newest file would sort first and be removed.
   */
  async findFreeName(now: number): Promise<string> {
    for (let time = Math.max(now, (await this.#newestTime()) + 1); ; time++) {
      const stamp = new Date(time).toISOString().replaceAll(':', '-');
      const path = join(this.#folder, `${this.#stem}-${stamp}${this.#extension}`);
      if (!(await exists(path)) && !(await exists(`${path}.gz`))) return path;
    }
  }

  /** Returns the path of the newest file, or undefined. */
  async findNewest(): Promise<string | undefined> {
    const newest = (await this.#listNames()).filter((name) => !name.endsWith('.part')).at(-1);
    return newest === undefined ? undefined : join(this.#folder, newest);
  }

  /** Returns the time in the name of the newest file. */
  async #newestTime(): Promise<number> {
    const newest = (await this.#listNames()).at(-1);
    if (newest === undefined) return 0;
    const stamp = newest.slice(this.#stem.length + 1, this.#stem.length + 1 + STAMP_LENGTH);
    return Date.parse(stamp.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:'));
  }

  /** Returns the names, oldest first. */
  async #listNames(): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => this.#pattern.test(name)).sort();
    } catch (error) {
      // the folder is made with its first file
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  /** Removes the oldest files and compresses the others, one after the other. Never rejects. */
  tidy(): void {
    this.#tidying = this.#tidying.then(async () => {
      try {
        await this.#tidy();
      } catch (error) {
        this.#log.error({ reason: String(error) }, 'rotated files of the export were not compressed or removed');
      }
    });
  }

  /** Resolves when nothing is being compressed. */
  whenIdle(): Promise<void> {
    return this.#tidying;
  }

  async #tidy(): Promise<void> {
    const names = await this.#listNames();
    const parts = names.filter((name) => name.endsWith('.part'));
    for (const part of parts) await unlink(join(this.#folder, part));
    const complete = names.filter((name) => !name.endsWith('.part'));
    const kept = complete.slice(Math.max(complete.length - this.#maxFiles, 0));
    for (const name of complete.slice(0, complete.length - kept.length)) {
      const path = join(this.#folder, name);
      await this.#options.beforeRemoval?.(path);
      await unlink(path);
    }
    if (!this.#options.compress) return;
    for (const name of kept.filter((each) => !each.endsWith('.gz'))) await compress(join(this.#folder, name));
  }
}

/** Removes the file after its compressed form is complete. */
async function compress(path: string): Promise<void> {
  const part = `${path}.gz.part`;
  const { mode } = await stat(path);
  try {
    const target = createWriteStream(part, { mode: mode & 0o777, flags: 'wx', flush: true });
    await pipeline(createReadStream(path), createGzip(), target);
    await rename(part, `${path}.gz`);
  } catch (error) {
    await unlink(part).catch(() => undefined);
    throw error;
  }
  await unlink(path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
