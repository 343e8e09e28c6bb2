/** Installs an archive: writes a folder beside the versions, and renames it when every file is on the disk. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PolicyError } from '../errors.js';
import { compilePolicy, parsePolicyTest } from '../policy/index.js';
import type { LibraryArchive } from './archive.js';
import { FACTS_FILE, installedVersions, readLibraryFiles, requireOwner, type UsedLibrary } from './installed.js';
import { libraryError } from './library-error.js';
import { compareVersions } from './versions.js';

/** Folders of updates that have not ended, and of versions that are removed. The number is that of the process. */
const UNFINISHED = /^\.(new|old)-(\d+)-[0-9a-f]+$/;

/** The library in use, and what checks and installs an update. */
export interface UpdateSettings {
  readonly used: UsedLibrary;
  readonly root: string;
  /** The version of this package. */
  readonly polytrace: string;
  /** Installs a version that is older than the installed one. It is not used if that of the package is newer. */
  readonly allowOlder?: boolean;
}

/** Returns false if this version is installed already. Throws PolytraceError; nothing is changed then. */
export function installLibrary(archive: LibraryArchive, settings: UpdateSettings): boolean {
  checkPolicies(archive, settings.polytrace);
  if (!checkVersion(archive, settings)) return false;
  const { root } = settings;
  try {
    mkdirSync(root, { recursive: true, mode: 0o755 });
    requireOwner(root);
    removeUnfinished(root);
    writeVersion(archive, root);
    removeVersions(archive.version, root);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw libraryError(
      'LIBRARY_FOLDER',
      `the policy library cannot be written: ${error.message}`,
      'run the command as root, or name a folder of yours in POLYTRACE_LIBRARY',
      error,
    );
  }
  return true;
}

/** A signed policy that this version cannot load would end what worked before. */
export function checkPolicies({ files, polytrace: needed }: LibraryArchive, own: string): void {
  if (compareVersions(own.replace(/[-+].*$/, ''), needed) < 0) {
    throw libraryError(
      'LIBRARY_NEEDS',
      `the library needs polytrace ${needed}, and this is ${own}`,
      'install a later version of polytrace first',
    );
  }
  for (const [name, text] of Object.entries(files)) {
    try {
      if (name.startsWith('tests/')) parsePolicyTest(text, { file: name });
      else if (`${compilePolicy(text, { file: name }).name}.yaml` !== name) throw invalid(`${name} has another name`);
    } catch (error) {
      if (error instanceof PolicyError) throw invalid(error.message, error);
      throw error;
    }
  }
}

function invalid(message: string, cause?: unknown): Error {
  return libraryError(
    'LIBRARY_INVALID',
    message,
    'report it to who has signed the library; nothing was changed',
    cause,
  );
}

/** Returns false if nothing has to be installed. */
function checkVersion(archive: LibraryArchive, { used, root, allowOlder = false }: UpdateSettings): boolean {
  const order = compareVersions(archive.version, used.version);
  if (order > 0) return true;
  if (order === 0) {
    if (isSame(archive.files, readLibraryFiles(used.folder))) return false;
    throw libraryError(
      'LIBRARY_OLDER',
      `version ${used.version} is used, and the archive has other policies with the same version`,
      'ask who has signed it for a version with a new number',
    );
  }
  if (allowOlder && used.isInstalled) return true;
  throw libraryError(
    'LIBRARY_OLDER',
    `the archive has version ${archive.version}, and ${used.version} is used (${used.isInstalled ? root : 'of the package'})`,
    used.isInstalled
      ? 'get a newer archive; to go back on purpose, use --allow-older'
      : 'get a newer archive; a library that is older than that of the package is never used',
  );
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function writeVersion({ files, signedBy, version, polytrace, created }: LibraryArchive, root: string): void {
  const folder = join(root, `.new-${process.pid}-${randomBytes(6).toString('hex')}`);
  mkdirSync(join(folder, 'tests'), { recursive: true, mode: 0o755 });
  const facts = `${JSON.stringify({ version, polytrace, created, signedBy }, undefined, 2)}\n`;
  for (const [name, text] of Object.entries({ ...files, [FACTS_FILE]: facts })) writeFile(join(folder, name), text);
  for (const each of [join(folder, 'tests'), folder]) syncFolder(each);
  const target = join(root, version);
  // an update that ran at the same time, or an older version that stayed
  if (installedVersions(root).includes(version)) removeFolder(target);
  renameSync(folder, target);
  syncFolder(root);
}

function writeFile(path: string, text: string): void {
  const fd = openSync(path, 'wx', 0o644);
  try {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Newer versions go first, or they would still be used. One older version stays: a process may read it. */
function removeVersions(version: string, root: string): void {
  const versions = installedVersions(root);
  const older = versions.filter((each) => compareVersions(each, version) < 0);
  for (const each of versions) {
    const isNewer = compareVersions(each, version) > 0;
    if (isNewer || older.indexOf(each) > 0) removeFolder(join(root, each));
  }
}

/** A version disappears at once: the process may be killed while it removes the files. */
function removeFolder(path: string): void {
  const hidden = join(dirname(path), `.old-${process.pid}-${randomBytes(6).toString('hex')}`);
  renameSync(path, hidden);
  rmSync(hidden, { recursive: true, force: true });
}

/** Removes what updates left that were killed. */
function removeUnfinished(root: string): void {
  for (const name of readdirSync(root)) {
    const [, , pid] = UNFINISHED.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(root, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
