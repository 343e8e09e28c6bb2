/**
 * Decides who may change what root loads. A file or folder belongs to root or to the user of the agent, and nobody else
 * may write to it. `sudo` has the same rule for its files.
 */
import { constants, type BigIntStats, type Stats } from 'node:fs';
import { access, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PolicyFileError } from './policy-file-error.js';

/** Throws PolicyFileError FILE_UNTRUSTED if somebody else owns the file, or may write to it. */
export function checkFileTrust(path: string, stats: Stats | BigIntStats): void {
  checkOwner(path, stats);
  if (isWritableByOthers(stats)) throw writableByOthers(path, stats);
}

/**
 * Checks a folder: who may write to it may remove and add files. Nobody can change files of others in a folder with the
 * sticky bit, or on a mount that is read-only, as the volumes of ConfigMaps are.
 */
export async function checkFolderTrust(path: string): Promise<void> {
  const stats = await stat(path);
  checkOwner(path, stats);
  const isSticky = (stats.mode & 0o1000) !== 0;
  if (isWritableByOthers(stats) && !isSticky && !(await isReadOnly(path))) throw writableByOthers(path, stats);
}

/** Checks the folder of a file, and the file's symbolic link if it is one. */
export async function checkPlaceTrust(path: string): Promise<void> {
  const link = await lstat(path);
  if (link.isSymbolicLink()) checkOwner(path, link);
  await checkFolderTrust(dirname(path));
}

function checkOwner(path: string, { uid }: Stats | BigIntStats): void {
  const owner = Number(uid);
  if (owner === 0 || owner === process.geteuid?.()) return;
  throw untrustedFileError(path, `user ${owner} owns it`, `chown root ${path}`);
}

/** The group of root may write, as sudo allows. */
function isWritableByOthers({ mode, gid }: Stats | BigIntStats): boolean {
  const bits = Number(mode);
  return (bits & 0o002) !== 0 || ((bits & 0o020) !== 0 && Number(gid) !== 0);
}

function writableByOthers(path: string, { mode }: Stats | BigIntStats): PolicyFileError {
  const octal = (Number(mode) & 0o7777).toString(8).padStart(4, '0');
  return untrustedFileError(path, `others than root may write to it (mode ${octal})`, `chmod go-w ${path}`);
}

function untrustedFileError(path: string, reason: string, remedy: string): PolicyFileError {
  return new PolicyFileError('FILE_UNTRUSTED', path, reason, `${remedy}, or allow-unsafe-policy-files: true`);
}

async function isReadOnly(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}
