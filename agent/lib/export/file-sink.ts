/**
 * Writes lines to a file and rotates it by size and by time. The file has only complete lines: the incomplete line of
 * a failed write is truncated, and an incomplete line of a killed agent gets its newline.
 */
import { constants } from 'node:fs';
import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '../log/log.js';
import { makeFolder } from '../make-folder.js';
import { Backups } from './backups.js';
import { countNewlines, scanLines } from './scan-lines.js';
import type { LossListener, RotationLimits, Sink, WriteResult } from './sink.js';

type FsyncPolicy = 'never' | 'rotate' | 'second' | 'always';

export interface FileOptions extends RotationLimits {
  readonly path: string;
  /** Mode of new files. */
  readonly mode: number;
  readonly compress: boolean;
  readonly fsync: FsyncPolicy;
  /** The incomplete line of a killed agent is removed and counted as lost: its link to the chain is incomplete. */
  readonly isChained?: boolean;
  /** Called before an old file is removed. */
  readonly beforeRemoval?: (path: string) => Promise<void>;
}

/** The wall clock names files and can be set at any time. The monotonic clock measures durations. */
export interface Clocks {
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** Milliseconds since an arbitrary time. */
  readonly monotonic: () => number;
}

const CLOCKS: Clocks = { wall: () => Date.now(), monotonic: () => performance.now() };

/**
 * O_NONBLOCK: a named pipe without a reader must not block the agent. O_NOFOLLOW: another user may have made the
 * link.
 */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEWLINE = 10;
const CHECK_MS = 1000;

export class FileSink implements Sink {
  readonly #options: FileOptions;
  #limits: RotationLimits;
  readonly #backups: Backups;
  readonly #log: Log;
  readonly #clocks: Clocks;
  #file: FileHandle | undefined;
  #size = 0;
  /** Lines of the file. */
  #lines = 0;
  #onLost: LossListener = () => undefined;
  #ino = 0;
  #openedAt = 0;
  #checkedAt = -Infinity;
  #syncedAt = -Infinity;
  #mustReopen = false;
  rotations = 0;

  constructor(options: FileOptions, log: Log, clocks: Clocks = CLOCKS) {
    this.#options = options;
    this.#limits = options;
    this.#log = log;
    this.#clocks = clocks;
    const { backups: maxFiles, compress, beforeRemoval } = options;
    this.#backups = new Backups(options.path, { maxFiles, compress, beforeRemoval }, log);
    this.#backups.tidy();
    this.#openedAt = clocks.monotonic();
  }

  /** A file that is too large now is rotated before the next lines, and surplus files are removed at once. */
  setRotation(limits: RotationLimits): void {
    this.#limits = limits;
    this.#backups.setMaxFiles(limits.backups);
    this.#backups.tidy();
  }

  listen(onLost: LossListener): void {
    this.#onLost = onLost;
  }

  async write(lines: Buffer): Promise<WriteResult> {
    let file: FileHandle;
    try {
      file = await this.#prepareFile(lines.length);
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
      this.#lines += countNewlines(lines);
      await this.#syncFile(file);
      return { bytes: at };
    } catch (error) {
      const bytes = at === lines.length ? at : await this.#truncateTornLine(file, lines, at);
      return { bytes, error: error as NodeJS.ErrnoException };
    }
  }

  /** Truncates what was written to complete lines. Returns their number of bytes. */
  async #truncateTornLine(file: FileHandle, lines: Buffer, at: number): Promise<number> {
    const complete = at === 0 ? 0 : lines.lastIndexOf(NEWLINE, at - 1) + 1;
    try {
      if (complete < at) await file.truncate((await file.stat()).size - (at - complete));
      this.#size += complete;
      this.#lines += countNewlines(lines.subarray(0, complete));
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'a torn line stays in the export');
      // reopening the file ends the incomplete line
      this.#mustReopen = true;
    }
    return complete;
  }

  async #syncFile(file: FileHandle): Promise<void> {
    const { fsync } = this.#options;
    const now = this.#clocks.monotonic();
    if (fsync !== 'always' && !(fsync === 'second' && now - this.#syncedAt >= CHECK_MS)) return;
    this.#syncedAt = now;
    await file.datasync();
  }

  /**
   * Returns the file for the next lines. Rotates it when that is due, and opens it when it is not open or was moved.
   */
  async #prepareFile(bytes: number): Promise<FileHandle> {
    if (this.#file !== undefined && (this.#mustReopen || (await this.#isMoved()))) await this.#closeFile();
    this.#file ??= await this.#open();
    if (!this.#isDue(bytes)) return this.#file;
    await this.#rotate(this.#file);
    this.#file = await this.#open();
    return this.#file;
  }

  #isDue(bytes: number): boolean {
    const { maxBytes, intervalMs } = this.#limits;
    if (this.#size === 0) return false;
    return this.#size + bytes > maxBytes || (intervalMs > 0 && this.#clocks.monotonic() - this.#openedAt >= intervalMs);
  }

  async #rotate(file: FileHandle): Promise<void> {
    if (this.#options.fsync !== 'never') await file.datasync();
    await rename(this.#options.path, await this.#backups.findFreeName(this.#clocks.wall()));
    await this.#closeFile();
    this.#openedAt = this.#clocks.monotonic();
    this.rotations += 1;
    this.#backups.tidy();
  }

  /** Checks at most once a second. */
  async #isMoved(): Promise<boolean> {
    const now = this.#clocks.monotonic();
    if (now - this.#checkedAt < CHECK_MS) return false;
    this.#checkedAt = now;
    return this.#checkFile();
  }

  /** Returns true if the path has another file or none. Counts the lines of a file that somebody removed or emptied. */
  async #checkFile(): Promise<boolean> {
    const { path } = this.#options;
    const current = await stat(path).catch(() => undefined);
    if (current?.ino !== this.#ino) {
      // a file that was moved still has a name
      if ((await this.#file?.stat())?.nlink === 0) this.#loseLines(this.#lines, `${path} was removed`);
      return true;
    }
    if (current.size < this.#size && this.#file !== undefined) {
      const { lines } = await scanLines(this.#file, current.size);
      this.#loseLines(this.#lines - lines, `${path} was cut`);
    }
    this.#size = current.size;
    return false;
  }

  #loseLines(lines: number, reason: string): void {
    if (lines <= 0) return;
    this.#lines -= lines;
    this.#onLost(lines, reason);
  }

  async #open(): Promise<FileHandle> {
    const { path, mode } = this.#options;
    await makeFolder(dirname(path));
    const file = await open(path, FLAGS, mode);
    try {
      const { size, ino } = await file.stat();
      if (!(await file.stat()).isFile()) throw new Error(`${path} is not a file`);
      await file.chmod(mode);
      await this.#scan(file, size);
      this.#ino = ino;
      this.#checkedAt = this.#clocks.monotonic();
      this.#mustReopen = false;
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #scan(file: FileHandle, size: number): Promise<void> {
    const { lines, end } = await scanLines(file, size);
    this.#lines = lines;
    this.#size = size;
    if (end === size) return;
    if (this.#options.isChained === true) {
      await file.truncate(end);
      this.#size = end;
      this.#onLost(1, `${this.#options.path} ends with an incomplete line`);
    } else {
      await file.write('\n');
      this.#size += 1;
      this.#lines += 1;
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
      if (this.#file !== undefined && !this.#mustReopen) await this.#checkFile();
      await this.#closeFile();
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'the file of the export was not closed');
    }
    await this.#backups.whenIdle();
  }
}
