/** The Ed25519 keys of a fleet: operators sign policies, and controllers sign the steps of a rollout. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { PolytraceError } from 'polytrace';
import { makeError } from '../errors.js';

/** The keys that a node trusts, by their fingerprints. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** A key that signs. */
export interface SigningKey {
  readonly fingerprint: string;
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
}

/** Returns the first 16 hexadecimal digits of the SHA-256 of a public key. */
function fingerprintKey(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}

/** Reads the public keys of files in PEM. A file can have several. Throws a PolytraceError: FLEET_KEY. */
export function readTrustedKeys(files: readonly string[]): TrustedKeys {
  const keys = new Map<string, KeyObject>();
  for (const file of files) {
    const blocks = readKeyFile(file).match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? [];
    if (blocks.length === 0) {
      throw keyError(`${file} has no public key: it needs lines from -----BEGIN PUBLIC KEY----- on`);
    }
    for (const pem of blocks) {
      const key = parseKey(file, () => createPublicKey(pem));
      keys.set(fingerprintKey(key), key);
    }
  }
  return keys;
}

/** Reads a private key in PEM. Throws a PolytraceError: FLEET_KEY. */
export function readSigningKey(file: string): SigningKey {
  const pem = readKeyFile(file);
  const key = parseKey(file, () => createPrivateKey(pem));
  const publicKey = createPublicKey(key);
  return { fingerprint: fingerprintKey(publicKey), key, publicKey };
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw keyError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function parseKey(file: string, parse: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch {
    throw keyError(`${file} is not a key in PEM`);
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw keyError(`${file} has a key of ${key.asymmetricKeyType}: it has to be one of Ed25519`);
  }
  return key;
}

/** Writes a new key to FILE, which only its owner may read, and its public key to FILE.pub. Replaces no file. */
export function writeKeyPair(file: string): { readonly publicFile: string; readonly fingerprint: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const publicFile = `${file}.pub`;
  writeNewFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
  writeNewFile(publicFile, publicKey.export({ type: 'spki', format: 'pem' }), 0o644);
  return { publicFile, fingerprint: fingerprintKey(publicKey) };
}

function writeNewFile(file: string, content: string | Buffer, mode: number): void {
  try {
    writeFileSync(file, content, { mode, flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = isThere ? 'it exists already, and is not replaced' : (error as Error).message;
    throw keyError(`${file} cannot be written: ${reason}`);
  }
}

function keyError(message: string): PolytraceError {
  return makeError('FLEET_KEY', message, 'make a key with `polytrace fleet keygen FILE`');
}
