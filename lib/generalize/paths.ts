/** Generalises paths and addresses for lock files: variables, and `*` for names that differ in each run. Pure. */
import { isAbsolute, join, normalize } from 'node:path/posix';

export interface Places {
  /** Working folder of the command. */
  readonly folder: string;
  readonly home: string;
  readonly temporary: string;
  /** Folders of package managers for downloads. */
  readonly caches: readonly string[];
}

/** Ports from here on are chosen by the kernel. */
export const EPHEMERAL_PORT = 32_768;

/** Replaces the folders that differ between machines by variables. The longest folder wins. */
function replaceVariables(path: string, { folder, home, temporary, caches }: Places): string {
  const variables = [
    ['$PWD', folder],
    ['$HOME', home],
    ['$TMP', temporary],
    ['$TMP', '/tmp'],
    ['$TMP', '/var/tmp'],
    ...caches.map((cache) => ['$CACHE', cache] as const),
  ] as const;
  const found = [...variables]
    .filter(([, value]) => value.length > 1 && (path === value || path.startsWith(`${value}/`)))
    .sort(([, one], [, other]) => other.length - one.length)[0];
  return found === undefined ? path : found[0] + path.slice(found[1].length);
}

/** The path as a lock file has it. */
export function generalizePath(path: string, places: Places): string {
  const named = replaceVariables(path, places);
  // the names in a cache are hashes and versions of downloads
  if (named.startsWith('$CACHE/')) return '$CACHE/**';
  const [first = '', ...rest] = named.split('/');
  const isTemporary = first === '$TMP';
  return [first, ...rest.map((name) => generalizeName(name, isTemporary))].join('/');
}

/** Two paths of a rename or a link. Package managers link each file of their cache: that is one fact. */
export function generalizePair(first: string, second: string, places: Places): readonly [string, string] {
  const [one, two] = [generalizePath(first, places), generalizePath(second, places)];
  return [one, one === '$CACHE/**' && two.startsWith('$PWD/') ? '$PWD/**' : two];
}

/**
 * Replaces what differs in each run by `*`: numbers of five digits and more, hexadecimal numbers of eight and more, UUIDs, a
 * number that `_` connects with one of them (a pid beside a random number), and in temporary folders the last six or more
 * letters and digits before the extension.
 */
export function generalizeName(name: string, isTemporary: boolean): string {
  const plain = name
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '*')
    .replace(/(?<![0-9a-z])(?=[0-9a-f]*\d)[0-9a-f]{8,}(?![0-9a-z])/gi, '*')
    .replace(/\d{5,}/g, '*')
    .replace(/(?<![0-9a-z])\d+(?=_\*)|(?<=\*_)\d+(?![0-9a-z])/gi, '*');
  return isTemporary ? plain.replace(/[0-9A-Za-z]{6,}(?=(?:\.[0-9A-Za-z]{1,5})*$)/, '*') : plain;
}

/** An address and port as a lock file has it. `name` is the host name that was asked for. */
export function generalizeAddress(address: string, port: number, name?: string): string {
  const host = name ?? (address.includes(':') ? `[${address}]` : address);
  return `${host}:${port >= EPHEMERAL_PORT && (name === undefined || isLoopback(address)) ? '*' : port}`;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}

/** A host name without its random labels, which are how data leaves by DNS. */
export function generalizeHost(name: string): string {
  const labels = name.split('.');
  if (labels.length < 3) return name;
  return labels
    .map((label, i) =>
      i < labels.length - 2 && (label.length > 30 || /^(?=.*\d)[0-9a-f]{12,}$/.test(label)) ? '*' : label,
    )
    .join('.');
}

/** The absolute path of a name that a system call got. Undefined if its folder is not known. */
export function resolvePath(name: string, folder: string | undefined): string | undefined {
  if (isAbsolute(name)) return normalize(name);
  return folder === undefined || folder === '' ? undefined : normalize(join(folder, name));
}

/** True for the folder itself and everything in it. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
