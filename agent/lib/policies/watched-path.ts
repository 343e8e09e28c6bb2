/**
 * One file or folder with policies, as the agent last knew it. A path that cannot be read changes nothing: what it had
 * stays known.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { checkFolderTrust } from './file-trust.js';
import { PolicyFileError, toPolicyFileError } from './policy-file-error.js';
import { readPolicyFile } from './read-policy-file.js';

/** A file is complete when it has not changed for this time. */
export const STABLE_MS = 300;
/** A file that changes for longer than this is reported. */
const CHANGING_MS = 10_000;
/**
 * Names of policy files and of links to them. Editors and ConfigMaps use names that begin with a dot for their own
 * files.
 */
const POLICY_FILE = /^[^.].*\.ya?ml$/;
/** The version of a file that was removed. */
const ABSENT = '';

interface KnownFile {
  readonly version: string;
  readonly content: string | Error;
}

/** A version that was seen, but is not known to be complete. */
interface PendingFile {
  readonly version: string;
  readonly since: number;
  readonly first: number;
}

export interface WatchedPathOptions {
  /** Read files and folders that others than root may change. */
  readonly allowUnsafe: boolean;
  /** The path may be missing as long as it has never existed. */
  readonly isOptional: boolean;
}

export class WatchedPath {
  readonly path: string;
  readonly #options: WatchedPathOptions;
  readonly #files = new Map<string, KnownFile>();
  readonly #pending = new Map<string, PendingFile>();
  #isFolder: boolean;
  /** Device, number and birth of the folder. */
  #identity: string | undefined;
  /** The version of the folder when all its files were looked at. */
  #folderVersion: string | undefined;
  /** Links, and files with other names: their changes may be those of another folder. */
  #elsewhere: ReadonlySet<string> = new Set();
  /** The reason why the path cannot be read. */
  problem: PolicyFileError | undefined;
  /** Nothing has the path now. For an optional path that has never existed, that is no problem. */
  isMissing = false;

  constructor(path: string, options: WatchedPathOptions) {
    this.path = path;
    this.#options = options;
    this.#isFolder = !POLICY_FILE.test(basename(path));
  }

  /** The policies of the files that are known, or the reasons why they cannot be read. */
  get files(): ReadonlyMap<string, string | Error> {
    return new Map([...this.#files].map(([file, { content }]) => [file, content]));
  }

  /** The folder whose changes matter: an editor replaces a file, so its folder is watched. */
  get folder(): string {
    return this.#isFolder ? this.path : dirname(this.path);
  }

  /** Changes when another folder has the path. */
  get identity(): string | undefined {
    return this.#identity;
  }

  /** True while a change waits until its file is complete. */
  get isPending(): boolean {
    return this.#pending.size > 0;
  }

  /**
   * Looks at the path. `isFinal`: files count as complete. `isQuiet`: no change was reported since the last time; then
   * only files with errors, and files whose changes nobody reports, are looked at one by one. Never rejects.
   */
  async scan({ isFinal, isQuiet }: { readonly isFinal: boolean; readonly isQuiet: boolean }): Promise<void> {
    try {
      const versions = await this.#readVersions(isQuiet);
      this.problem = undefined;
      const files = new Set([...versions.keys(), ...this.#files.keys()]);
      for (const file of files) await this.#update(file, versions.get(file) ?? ABSENT, isFinal);
    } catch (error) {
      this.problem = toPolicyFileError(error, this.path);
    }
  }

  /** Returns the versions of all files, in the order of their names. */
  async #readVersions(isQuiet: boolean): Promise<ReadonlyMap<string, string>> {
    const stats = await stat(this.path, { bigint: true }).catch((error: NodeJS.ErrnoException) => error);
    this.isMissing = stats instanceof Error;
    if (stats instanceof Error) return this.#explainMissing(stats);
    this.#isFolder = stats.isDirectory();
    if (!this.#isFolder) return new Map([[this.path, formatVersion(stats)]]);
    if (!this.#options.allowUnsafe) await checkFolderTrust(this.path);
    const folderVersion = formatVersion(stats);
    if (isQuiet && !this.isPending && this.#folderVersion === folderVersion) return this.#readUnreported();
    this.#folderVersion = undefined;
    const entries = (await readdir(this.path, { withFileTypes: true })).filter(({ name }) => POLICY_FILE.test(name));
    const identity = `${stats.dev} ${stats.ino} ${stats.birthtimeNs}`;
    const isReplaced = this.#identity !== undefined && this.#identity !== identity;
    if (isReplaced && entries.length === 0 && this.#files.size > 0) {
      throw pathAway(this.path, 'an empty folder has its place', 'put its policies back, or restart the agent');
    }
    this.#identity = identity;
    const versions = new Map<string, string>();
    const elsewhere = new Set<string>();
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = join(this.path, entry.name);
      const { version, links } = await readVersion(file);
      if (version === ABSENT) continue;
      versions.set(file, version);
      if (entry.isSymbolicLink() || links > 1n) elsewhere.add(file);
    }
    this.#elsewhere = elsewhere;
    this.#folderVersion = folderVersion;
    return versions;
  }

  /** Returns the known versions, and reads those whose changes nobody reports. */
  async #readUnreported(): Promise<ReadonlyMap<string, string>> {
    const versions = new Map<string, string>();
    for (const [file, { version, content }] of this.#files) {
      const isUnreported = content instanceof Error || this.#elsewhere.has(file);
      versions.set(file, isUnreported ? (await readVersion(file)).version : version);
    }
    return versions;
  }

  /** A file was removed if its folder exists. A folder that is missing is away. */
  async #explainMissing(error: NodeJS.ErrnoException): Promise<ReadonlyMap<string, string>> {
    const isRemovable = error.code === 'ENOENT' && !this.#isFolder && this.#files.size > 0;
    if (isRemovable && (await readVersion(this.path)).version === ABSENT && (await exists(dirname(this.path))))
      return new Map();
    if (error.code !== 'ENOENT') throw error;
    if (this.#options.isOptional && this.#identity === undefined && !(await exists(this.path))) return new Map();
    throw pathAway(this.path, 'it does not exist', 'put it back; its policies stay as they are');
  }

  async #update(file: string, version: string, isFinal: boolean): Promise<void> {
    const known = this.#files.get(file);
    const isSame = version === (known?.version ?? ABSENT);
    if (isSame) this.#pending.delete(file);
    // the cause of an error may have gone, although the file is the same
    if (isSame && !(known?.content instanceof Error)) return;
    if (!isSame && !isFinal && !this.#isComplete(file, version)) return;
    this.#pending.delete(file);
    if (version === ABSENT) this.#files.delete(file);
    else this.#files.set(file, { version, content: await this.#read(file) });
  }

  async #read(file: string): Promise<string | Error> {
    try {
      return await readPolicyFile(file, this.#options);
    } catch (error) {
      return error as Error;
    }
  }

  #isComplete(file: string, version: string): boolean {
    const now = performance.now();
    const pending = this.#pending.get(file);
    if (pending?.version === version) return now - pending.since >= STABLE_MS;
    const first = pending?.first ?? now;
    this.#pending.set(file, { version, since: now, first });
    if (now - first > CHANGING_MS) {
      const content = new PolicyFileError('FILE_CHANGING', file, 'it changes all the time', 'rename a complete file');
      this.#files.set(file, { version: this.#files.get(file)?.version ?? ABSENT, content });
    }
    return false;
  }
}

/** Returns a text that changes with the file. */
function formatVersion({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/** The version is ABSENT for a file that does not exist. A link that leads nowhere exists. `links`: number of its names. */
async function readVersion(file: string): Promise<{ readonly version: string; readonly links: bigint }> {
  try {
    const stats = await stat(file, { bigint: true });
    return { version: formatVersion(stats), links: stats.nlink };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { version: (await exists(file)) ? `unreadable ${code}` : ABSENT, links: 1n };
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

function pathAway(path: string, reason: string, remedy: string): PolicyFileError {
  return new PolicyFileError('PATH_AWAY', path, reason, remedy);
}
