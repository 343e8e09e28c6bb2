/**
 * Watches files and folders with policies. After a change, everything is read again: that also covers files that were renamed, and
 * a ConfigMap, whose files are links to a folder that is swapped.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import { expandPolicyPaths, loadPolicyFile } from 'polytrace';
import type { Log } from '../log/log.js';

/** A file counts as written when it has not changed for so long. */
const SETTLE_MS = 300;
/** A folder in which something changes all the time is read at least so often. */
const LATEST_MS = 3000;

/** Also as a link; not the names of editors' and ConfigMap's own files, which begin with a dot. */
const POLICY_FILE = /^[^.].*\.ya?ml$/;

export type Files = ReadonlyMap<string, string | Error>;

export class PolicyFiles {
  readonly #paths: readonly string[];
  readonly #log: Log;
  readonly #changed: (files: Files, again: boolean) => Promise<void>;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #since: number | undefined;
  #seen = '';

  /**
   * `paths`: files, folders, or polytrace:NAME for a policy of the package. A file or folder that does not exist is watched
   * for. Throws PolicyError when the package has no policy of this name.
   */
  constructor(paths: readonly string[], log: Log, changed: (files: Files, again: boolean) => Promise<void>) {
    this.#paths = paths.flatMap((path) => (path.startsWith('polytrace:') ? expandPolicyPaths(path) : [resolve(path)]));
    this.#log = log;
    this.#changed = changed;
  }

  /** Reads everything once, and then after each change. */
  async start(): Promise<void> {
    await this.reload();
    // The folder of a file is watched, because an editor replaces the file. Links are not followed: a swap changes them.
    const folders = new Set(
      this.#paths.map((path) => (isFolder(path) || !POLICY_FILE.test(basename(path)) ? path : dirname(path))),
    );
    this.#watcher = watch([...folders], { ignoreInitial: true, depth: 0, followSymlinks: false });
    this.#watcher.on('all', () => this.#later());
    this.#watcher.on('error', (error) => this.#log.error({ reason: String(error) }, 'watching policies failed'));
    await new Promise<void>((ready) => this.#watcher?.once('ready', ready));
    // Between the first reading and the start of the watcher, a file may have changed.
    this.#later();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  /** Reads everything now, also files that failed. When a folder cannot be read, everything stays as it is. */
  async reload(again = true): Promise<void> {
    clearTimeout(this.#timer);
    this.#since = undefined;
    let files: Files;
    try {
      files = this.#read();
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'a folder of policies cannot be read');
      return;
    }
    await this.#changed(files, again);
  }

  #later(): void {
    const now = performance.now();
    this.#since ??= now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#settled(), SETTLE_MS);
  }

  /** A file may be half written: its size and time have to stay the same for a while. */
  async #settled(): Promise<void> {
    let seen = '';
    try {
      seen = this.#fingerprint();
    } catch {
      // reload() says why
    }
    const isLate = performance.now() - (this.#since ?? 0) > LATEST_MS;
    if (seen !== this.#seen && !isLate) {
      this.#seen = seen;
      this.#later();
      return;
    }
    this.#seen = '';
    await this.reload(false);
  }

  #fingerprint(): string {
    return this.#files()
      .map((file) => {
        try {
          const { size, mtimeMs, ino } = statSync(file);
          return `${file} ${size} ${mtimeMs} ${ino}`;
        } catch {
          return file;
        }
      })
      .join('\n');
  }

  #files(): string[] {
    return this.#paths.flatMap((path) => {
      if (!isFolder(path)) return exists(path) ? [path] : [];
      return readdirSync(path)
        .filter((name) => POLICY_FILE.test(name))
        .sort()
        .map((name) => join(path, name))
        .filter((file) => !isFolder(file));
    });
  }

  #read(): Files {
    const result = new Map<string, string | Error>();
    for (const file of this.#files()) {
      try {
        result.set(file, loadPolicyFile(file));
      } catch (error) {
        result.set(file, error as Error);
      }
    }
    return result;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
