/**
 * A file with whole lines. It is rotated by size and by time. Nothing is torn: what a failed write has left of a line is cut off, and
 * a line that a killed agent has left unfinished gets its newline.
 */
import { constants } from 'node:fs';
import { mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '../log/log.js';
import { Backups } from './backups.js';
import type { Sink, Written } from './sink.js';

type FsyncPolicy = 'never' | 'rotate' | 'second' | 'always';

export interface FileOptions {
  readonly path: string;
  /** Rights of new files. */
  readonly mode: number;
  readonly mostBytes: number;
  /** 0: not by time. */
  readonly intervalMs: number;
  readonly backups: number;
  readonly compress: boolean;
  readonly fsync: FsyncPolicy;
}

/** Two clocks: the time of day names files, and may be set at any time. Durations are those of the other one, which is not. */
export interface Clocks {
  /** Milliseconds since 1970. */
  readonly ofDay: () => number;
  /** Milliseconds since some moment. */
  readonly steady: () => number;
}

const CLOCKS: Clocks = { ofDay: () => Date.now(), steady: () => performance.now() };

/** A named pipe without a reader must not hold up the agent, and a link is somebody else's choice. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEWLINE = 10;
const CHECK_MS = 1000;

export class FileSink implements Sink {
  readonly #options: FileOptions;
  readonly #backups: Backups;
  readonly #log: Log;
  readonly #clocks: Clocks;
  #file: FileHandle | undefined;
  #size = 0;
  #ino = 0;
  #openedAt = 0;
  #checkedAt = -Infinity;
  #syncedAt = -Infinity;
  #mustReopen = false;
  rotations = 0;

  constructor(options: FileOptions, log: Log, clocks: Clocks = CLOCKS) {
    this.#options = options;
    this.#log = log;
    this.#clocks = clocks;
    this.#backups = new Backups(options.path, { most: options.backups, compress: options.compress }, log);
    this.#backups.tidy();
    this.#openedAt = clocks.steady();
  }

  async write(lines: Buffer): Promise<Written> {
    let file: FileHandle;
    try {
      file = await this.#ready(lines.length);
    } catch (error) {
      return { bytes: 0, error: error as NodeJS.ErrnoException };
    }
    let at = 0;
    try {
      while (at < lines.length) {
        const { bytesWritten } = await file.write(lines, at, lines.length - at);
        at += bytesWritten;
      }
      this.#size += at;
      await this.#sync(file);
      return { bytes: at };
    } catch (error) {
      const bytes = at === lines.length ? at : await this.#cut(file, lines, at);
      return { bytes, error: error as NodeJS.ErrnoException };
    }
  }

  /** Leaves whole lines of what was written. Returns their number of bytes. */
  async #cut(file: FileHandle, lines: Buffer, at: number): Promise<number> {
    const whole = at === 0 ? 0 : lines.lastIndexOf(NEWLINE, at - 1) + 1;
    try {
      if (whole < at) await file.truncate((await file.stat()).size - (at - whole));
      this.#size += whole;
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'a torn line stays in the export');
      // opening the file again ends the line
      this.#mustReopen = true;
    }
    return whole;
  }

  async #sync(file: FileHandle): Promise<void> {
    const { fsync } = this.#options;
    const now = this.#clocks.steady();
    if (fsync !== 'always' && !(fsync === 'second' && now - this.#syncedAt >= CHECK_MS)) return;
    this.#syncedAt = now;
    await file.datasync();
  }

  /** The file for the next lines: rotated when it is due, opened when it is not open, or when somebody has moved it. */
  async #ready(bytes: number): Promise<FileHandle> {
    if (this.#file !== undefined && (this.#mustReopen || (await this.#isMoved()))) await this.#closeFile();
    this.#file ??= await this.#open();
    if (!this.#isDue(bytes)) return this.#file;
    await this.#rotate(this.#file);
    this.#file = await this.#open();
    return this.#file;
  }

  #isDue(bytes: number): boolean {
    const { mostBytes, intervalMs } = this.#options;
    if (this.#size === 0) return false;
    return this.#size + bytes > mostBytes || (intervalMs > 0 && this.#clocks.steady() - this.#openedAt >= intervalMs);
  }

  async #rotate(file: FileHandle): Promise<void> {
    if (this.#options.fsync !== 'never') await file.datasync();
    await rename(this.#options.path, await this.#backups.freeName(this.#clocks.ofDay()));
    await this.#closeFile();
    this.#openedAt = this.#clocks.steady();
    this.rotations += 1;
    this.#backups.tidy();
  }

  /** Asks at most once a second. */
  async #isMoved(): Promise<boolean> {
    const now = this.#clocks.steady();
    if (now - this.#checkedAt < CHECK_MS) return false;
    this.#checkedAt = now;
    try {
      const { ino, size } = await stat(this.#options.path);
      this.#size = size;
      return ino !== this.#ino;
    } catch {
      return true;
    }
  }

  async #open(): Promise<FileHandle> {
    const { path, mode } = this.#options;
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, FLAGS, mode);
    try {
      const { size, ino } = await file.stat();
      if (!(await file.stat()).isFile()) throw new Error(`${path} is not a file`);
      await file.chmod(mode);
      this.#size = size + (await endLine(file, size));
      this.#ino = ino;
      this.#checkedAt = this.#clocks.steady();
      this.#mustReopen = false;
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  reopen(): void {
    this.#mustReopen = true;
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async close(): Promise<void> {
    try {
      if (this.#options.fsync !== 'never') await this.#file?.datasync();
      await this.#closeFile();
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'the file of the export was not closed');
    }
    await this.#backups.idle();
  }
}

/** Ends a line that was not finished. Returns the number of bytes. */
async function endLine(file: FileHandle, size: number): Promise<number> {
  if (size === 0) return 0;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  if (last[0] === NEWLINE) return 0;
  await file.write('\n');
  return 1;
}
