/**
 * Watches files and folders with policies. After a change, all files are read again. That covers renamed files and
 * ConfigMaps, whose files are links to a folder that is swapped.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import { expandPolicyPaths, loadPolicyFile } from 'polytrace';
import type { Log } from '../log/log.js';

/** A file is complete when it has not changed for this time. */
const STABLE_MS = 300;
/** A folder that changes all the time is read at least this often. */
const RELOAD_MS_MAX = 3000;

/**
 * Names of policy files and of links to them. Editors and ConfigMaps use names that begin with a dot for their own
 * files.
 */
const POLICY_FILE = /^[^.].*\.ya?ml$/;

export type Files = ReadonlyMap<string, string | Error>;

export class PolicyFiles {
  readonly #paths: readonly string[];
  readonly #log: Log;
  readonly #onChange: (files: Files, again: boolean) => Promise<void>;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #since: number | undefined;
  #seen = '';

  /**
   * `paths`: files, folders, or polytrace:NAME for a policy of the package. Paths that do not exist yet are watched
   * too. Throws PolicyError when the package has no such policy.
   */
  constructor(paths: readonly string[], log: Log, onChange: (files: Files, again: boolean) => Promise<void>) {
    this.#paths = paths.flatMap((path) => (path.startsWith('polytrace:') ? expandPolicyPaths(path) : [resolve(path)]));
    this.#log = log;
    this.#onChange = onChange;
  }

  /** Reads all files, and again after each change. */
  async start(): Promise<void> {
    await this.reload();
    // An editor replaces a file, so its folder is watched. Links are not followed, so a swapped link is a change.
    const folders = new Set(
      this.#paths.map((path) => (isFolder(path) || !POLICY_FILE.test(basename(path)) ? path : dirname(path))),
    );
    this.#watcher = watch([...folders], { ignoreInitial: true, depth: 0, followSymlinks: false });
    this.#watcher.on('all', () => this.#scheduleReload());
    this.#watcher.on('error', (error) => this.#log.error({ reason: String(error) }, 'watching policies failed'));
    await new Promise<void>((ready) => this.#watcher?.once('ready', ready));
    // A file may have changed between the first read and the start of the watcher.
    this.#scheduleReload();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  /**
   * Reads all files. `again`: files that failed are tried again too. When a folder cannot be read, everything stays
   * as it is.
   */
  async reload(again = true): Promise<void> {
    clearTimeout(this.#timer);
    this.#since = undefined;
    let files: Files;
    try {
      files = this.#readFiles();
    } catch (error) {
      this.#log.error({ reason: String(error) }, 'a folder of policies cannot be read');
      return;
    }
    await this.#onChange(files, again);
  }

  #scheduleReload(): void {
    const now = performance.now();
    this.#since ??= now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#reloadWhenStable(), STABLE_MS);
  }

  /** Reloads when sizes and times have not changed for a while, because a file may be incomplete. */
  async #reloadWhenStable(): Promise<void> {
    let seen = '';
    try {
      seen = this.#fingerprint();
    } catch {
      // reload() reports the error
    }
    const isLate = performance.now() - (this.#since ?? 0) > RELOAD_MS_MAX;
    if (seen !== this.#seen && !isLate) {
      this.#seen = seen;
      this.#scheduleReload();
      return;
    }
    this.#seen = '';
    await this.reload(false);
  }

  #fingerprint(): string {
    return this.#listFiles()
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

  #listFiles(): string[] {
    return this.#paths.flatMap((path) => {
      if (!isFolder(path)) return exists(path) ? [path] : [];
      return readdirSync(path)
        .filter((name) => POLICY_FILE.test(name))
        .sort()
        .map((name) => join(path, name))
        .filter((file) => !isFolder(file));
    });
  }

  #readFiles(): Files {
    const result = new Map<string, string | Error>();
    for (const file of this.#listFiles()) {
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
