/**
 * The files and folders with policies. They are looked at every few seconds. A notification of the kernel is a hint to
 * look earlier. While there could be one and is none, only the folder is looked at, and all its files less often.
 */
import { watch, type FSWatcher } from 'node:fs';
import { resolve } from 'node:path';
import { expandPolicyPaths } from 'polytrace';
import type { Log } from '../log/log.js';
import { PolicyFileError } from './policy-file-error.js';
import { areChangesReported } from './reported-changes.js';
import { STABLE_MS, WatchedPath } from './watched-path.js';

/** Interval of looking at all paths. */
const SCAN_MS = 2000;
/** Interval of looking at all files of a folder whose changes the kernel reports. */
const QUIET_MS = 30_000;
/** Changes of this time are looked at together. */
const HINT_MS = 100;
/** A file system that answers later than this is reported. */
const ANSWER_MS = 10_000;

/** The contents of all files at one moment. */
export interface FileSnapshot {
  /** The policies, or the reasons why they cannot be read. */
  readonly files: ReadonlyMap<string, string | Error>;
  /** Paths that cannot be read. Their files are still those of before. */
  readonly problems: ReadonlyMap<string, Error>;
}

export interface PolicyFilesOptions {
  /** The folder of the agent. It may be missing from the start. */
  readonly folder?: string | undefined;
  /** Files, folders, or polytrace:NAME for a policy of the package. */
  readonly paths: readonly string[];
  /** Load files that others than root may change. */
  readonly allowUnsafe: boolean;
}

/** The watch of a folder. */
interface Watch {
  readonly identity: string | undefined;
  readonly watcher: FSWatcher;
  /** All files were looked at after this time, and no change was reported since. Undefined: look at all of them. */
  quietSince: number | undefined;
}

export class PolicyFiles {
  readonly #paths: readonly WatchedPath[];
  readonly #log: Log;
  readonly #onScan: (snapshot: FileSnapshot) => Promise<void>;
  readonly #quietMs: number;
  readonly #watches = new Map<WatchedPath, Watch>();
  #timer: NodeJS.Timeout | undefined;
  #scanning: Promise<void> | undefined;
  #isHinted = false;
  #isStopped = false;
  #isWatchFailing = false;
  /** Wait until all paths can be read. */
  #readers: (() => void)[] = [];

  /** Throws PolicyError when the package has no such policy. `onScan` gets what all files say. */
  constructor(
    options: PolicyFilesOptions,
    log: Log,
    onScan: (snapshot: FileSnapshot) => Promise<void>,
    quietMs = QUIET_MS,
  ) {
    const { folder, paths, allowUnsafe } = options;
    const watched = paths.flatMap((path) => {
      const isPackage = path.startsWith('polytrace:');
      const files = isPackage ? expandPolicyPaths(path) : [resolve(path)];
      // whoever may change the files of the package may change this program
      return files.map((file) => new WatchedPath(file, { allowUnsafe: allowUnsafe || isPackage, isOptional: false }));
    });
    const own = folder === undefined ? [] : [new WatchedPath(resolve(folder), { allowUnsafe, isOptional: true })];
    this.#paths = [...own, ...watched];
    this.#log = log;
    this.#onScan = onScan;
    this.#quietMs = quietMs;
  }

  /** Reads all files, and again after each change. Resolves when the policies were tried. */
  async start(): Promise<void> {
    await this.reload();
    this.#schedule(STABLE_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const { watcher } of this.#watches.values()) watcher.close();
    this.#watches.clear();
  }

  /** Reads all files as they are now. */
  async reload(): Promise<void> {
    while (this.#scanning !== undefined) await this.#scanning;
    await this.#scan(true);
    await this.#report();
  }

  /** Paths whose policies are not known, because nothing could be read there, or not completely. */
  get unknownPaths(): string[] {
    const unknown = this.#paths.filter(({ problem, isMissing, isPending }) => problem ?? (isMissing || isPending));
    return unknown.map(({ path }) => path);
  }

  /** Resolves when all paths were read, and their policies were tried. */
  async whenKnown(): Promise<void> {
    if (this.unknownPaths.length > 0) await new Promise<void>((resolve) => this.#readers.push(resolve));
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    this.#isHinted = false;
    await this.#scan(false);
    if (this.#isStopped) return;
    // loading may take long, and the files may change meanwhile
    void this.#report();
    const isPending = this.#paths.some((path) => path.isPending);
    this.#schedule(this.#isHinted ? HINT_MS : isPending ? STABLE_MS : SCAN_MS);
  }

  /** One scan runs at a time. */
  #scan(isFinal: boolean): Promise<void> {
    this.#scanning ??= this.#scanAll(isFinal).finally(() => (this.#scanning = undefined));
    return this.#scanning;
  }

  async #scanAll(isFinal: boolean): Promise<void> {
    for (const path of this.#paths) {
      const slow = setTimeout(() => {
        path.problem = new PolicyFileError('FILE_NOT_ANSWERING', path.path, 'no answer', 'check its file system');
        void this.#report();
      }, ANSWER_MS);
      await this.#scanPath(path, isFinal);
      clearTimeout(slow);
    }
  }

  async #scanPath(path: WatchedPath, isFinal: boolean): Promise<void> {
    const watch = this.#watches.get(path);
    const begin = performance.now();
    const { quietSince } = watch ?? {};
    const isQuiet = !isFinal && quietSince !== undefined && begin - quietSince < this.#quietMs;
    // a change that is reported from now on makes this undefined again
    if (watch !== undefined && !isQuiet) watch.quietSince = begin;
    await path.scan({ isFinal, isQuiet });
    const isReported = isQuiet || (watch !== undefined && (await areChangesReported(path.folder)));
    if (watch !== undefined && (!isReported || path.problem !== undefined)) watch.quietSince = undefined;
    if (!this.#isStopped) this.#watch(path);
  }

  async #report(): Promise<void> {
    const files = new Map(this.#paths.flatMap((path) => [...path.files]));
    const problems = new Map(this.#paths.flatMap(({ path, problem }) => (problem ? [[path, problem] as const] : [])));
    const isKnown = this.unknownPaths.length === 0;
    await this.#onScan({ files, problems });
    if (isKnown) for (const resolveReader of this.#readers.splice(0)) resolveReader();
  }

  /** Watches the folder, and the next one when another folder has its path. */
  #watch(path: WatchedPath): void {
    const { folder, identity, problem } = path;
    const known = this.#watches.get(path);
    if (problem !== undefined || (known !== undefined && known.identity === identity)) return;
    this.#unwatch(path);
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#hint(path));
      watcher.on('error', () => this.#unwatch(path));
      // a change before this moment was not reported
      this.#watches.set(path, { identity, watcher, quietSince: undefined });
      this.#isWatchFailing = false;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || this.#isWatchFailing) return;
      this.#isWatchFailing = true;
      const detail = { path: folder, reason: message };
      this.#log.warn(detail, `the kernel does not report changes: they are found within ${SCAN_MS / 1000} seconds`);
    }
  }

  #unwatch(path: WatchedPath): void {
    this.#watches.get(path)?.watcher.close();
    this.#watches.delete(path);
  }

  #hint(path: WatchedPath): void {
    const watch = this.#watches.get(path);
    if (watch !== undefined) watch.quietSince = undefined;
    if (this.#isHinted) return;
    this.#isHinted = true;
    if (this.#scanning === undefined) this.#schedule(HINT_MS);
  }
}
