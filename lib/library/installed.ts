/**
 * The installed policy library. Its folder has a folder for each version, which appears complete or not at all. The newest
 * version is used, if it is newer than that of the package.
 */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { libraryError } from './library-error.js';
import { compareVersions, isVersion } from './versions.js';

const DEFAULT_FOLDER = '/var/lib/polytrace-library';
/** Facts of a library, in the folder of the package and of each version. */
export const FACTS_FILE = 'library.json';

/** The library that `polytrace:NAME` names. */
export interface UsedLibrary {
  readonly version: string;
  /** The folder that has its policies. */
  readonly folder: string;
  readonly isInstalled: boolean;
}

/** Returns the folder of installed libraries: POLYTRACE_LIBRARY, or that of the machine. */
export function libraryRoot(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const chosen = env['POLYTRACE_LIBRARY'];
  return chosen === undefined || chosen === '' ? DEFAULT_FOLDER : chosen;
}

/** Returns the installed versions, the newest first. Throws PolytraceError if others can change the folder. */
export function installedVersions(root: string): string[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw libraryError('LIBRARY_FOLDER', `the policy library ${root} cannot be read: ${message}`, HINT, error);
  }
  const versions = names.filter(isVersion).sort(compareVersions).reverse();
  if (versions.length > 0) requireOwner(root);
  return versions;
}

const HINT = 'give the folder to root with `chown -R root:root` and `chmod -R go-w`, or remove it to use the package';

/** A policy decides what is seen, so only root and the user of this process may change it. */
export function requireOwner(path: string): void {
  const stat = lstatSync(path);
  const isOwn = stat.uid === 0 || stat.uid === process.geteuid?.();
  if (stat.isDirectory() && isOwn && (stat.mode & 0o022) === 0) return;
  throw libraryError('LIBRARY_FOLDER', `others can change ${path}, so its policies are not used`, HINT);
}

/** Returns the folder with the policies of the package, if it is there. */
export function packageFolder(): string | undefined {
  // in the package, this code is in dist/; a bundle has the folder next to it
  // @vercel/nft copies the folders that such expressions name
  for (const folder of [`${__dirname}/policies`, `${__dirname}/../policies`, `${__dirname}/../../policies`]) {
    if (existsSync(join(folder, 'file-integrity.yaml'))) return resolve(folder);
  }
  return undefined;
}

/** Returns the library in use. `ownFolder` has the policies of the package. */
export function usedLibrary(ownFolder: string, root = libraryRoot()): UsedLibrary {
  const { version } = readFacts(ownFolder);
  const [newest] = installedVersions(root);
  if (newest === undefined || compareVersions(newest, version) <= 0) {
    return { version, folder: ownFolder, isInstalled: false };
  }
  const folder = join(root, newest);
  requireOwner(folder);
  return { version: newest, folder, isInstalled: true };
}

/** Reads the version, and the public keys (PEM) that the package trusts. A folder without the file is older than all. */
export function readFacts(folder: string): { readonly version: string; readonly keys: readonly string[] } {
  let text: string;
  try {
    text = readFileSync(join(folder, FACTS_FILE), 'utf8');
  } catch {
    return { version: '0.0.0', keys: [] };
  }
  const { version, keys = [] } = JSON.parse(text) as { readonly version: string; readonly keys?: readonly string[] };
  return { version, keys };
}

/** Reads the policies and tests of a library, by their names. */
export function readLibraryFiles(folder: string): Record<string, string> {
  const names = [...listPolicies(folder), ...listPolicies(join(folder, 'tests')).map((name) => `tests/${name}`)];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function listPolicies(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
}
