/** The Ed25519 keys that sign archives of the policy library. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { libraryError } from './library-error.js';

/** Public keys by their fingerprints. */
export type LibraryKeys = ReadonlyMap<string, KeyObject>;

const PUBLIC_KEY = /-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g;
const HINT = 'name a file with a public key of Ed25519 in PEM, as `polytrace fleet keygen FILE` writes it to FILE.pub';

/** Returns the first 16 hexadecimal digits of the SHA-256 of a public key. */
function fingerprintKey(key: KeyObject): string {
  const bytes = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** Reads public keys in PEM. `origin` is for messages. Throws PolytraceError: LIBRARY_KEY. */
export function parseLibraryKeys(pem: string, origin: string): LibraryKeys {
  const blocks = pem.match(PUBLIC_KEY) ?? [];
  if (blocks.length === 0) throw libraryError('LIBRARY_KEY', `${origin} has no public key in PEM`, HINT);
  return new Map(
    blocks.map((block) => {
      const key = parseKey(origin, () => createPublicKey(block));
      return [fingerprintKey(key), key];
    }),
  );
}

/** Reads the public keys of files, in addition to `pinned` ones. Throws PolytraceError: LIBRARY_KEY. */
export function readLibraryKeys(files: readonly string[], pinned: readonly string[]): LibraryKeys {
  const keys = new Map(pinned.flatMap((pem) => [...parseLibraryKeys(pem, 'library.json of the package')]));
  for (const file of files) for (const [name, key] of parseLibraryKeys(readKeyFile(file), file)) keys.set(name, key);
  if (keys.size > 0) return keys;
  throw libraryError(
    'LIBRARY_KEY',
    'no key is known that could have signed a library: this package has none',
    'get the public key of who signs your library, and name its file with --key',
  );
}

/** Reads a private key in PEM, and the fingerprint of its public key. Throws PolytraceError: LIBRARY_KEY. */
export function readPrivateKey(file: string): { readonly key: KeyObject; readonly fingerprint: string } {
  const key = parseKey(file, () => createPrivateKey(readKeyFile(file)));
  return { key, fingerprint: fingerprintKey(createPublicKey(key)) };
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw libraryError('LIBRARY_KEY', `the key ${file} cannot be read: ${(error as Error).message}`, HINT, error);
  }
}

function parseKey(origin: string, parse: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch (error) {
    throw libraryError('LIBRARY_KEY', `${origin} has a key that is not one in PEM`, HINT, error);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw libraryError('LIBRARY_KEY', `${origin} has a key of ${key.asymmetricKeyType}, not of Ed25519`, HINT);
}
