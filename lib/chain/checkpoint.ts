/** Signed checkpoints of a chain: a node's key signs the position of a line, and with it every line before. */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import type { ChainPosition } from './line.js';

export interface CheckpointFields extends ChainPosition {
  /** The number of the oldest line that the exporter has not removed itself. */
  readonly oldest: number;
  /** The time of the signature (ISO 8601). */
  readonly time: string;
}

export interface Checkpoint extends CheckpointFields {
  /** Ed25519, in base64. */
  readonly signature: string;
}

/** The signed bytes. Each field has a form without spaces and newlines. */
function signedBytes({ sequence, hash, oldest, time }: CheckpointFields): Buffer {
  return Buffer.from(`polytrace chain 1\n${sequence}\n${hash}\n${oldest}\n${time}\n`);
}

/** Returns the line of the checkpoint, without a newline. `key` is in PEM. */
export function signCheckpoint(fields: CheckpointFields, key: string): string {
  const { sequence, hash, oldest, time } = fields;
  const signature = sign(null, signedBytes(fields), createPrivateKey(key)).toString('base64');
  return JSON.stringify({ sequence, hash, oldest, time, signature });
}

/** Returns undefined for a line that is no checkpoint. The signature is not checked. */
export function parseCheckpoint(line: string): Checkpoint | undefined {
  let value: Partial<Checkpoint>;
  try {
    value = JSON.parse(line) as Partial<Checkpoint>;
  } catch {
    return undefined;
  }
  const { sequence, hash, oldest, time, signature } = value ?? {};
  const hasNumbers = Number.isSafeInteger(sequence) && Number.isSafeInteger(oldest);
  const hasTexts = typeof hash === 'string' && typeof time === 'string' && typeof signature === 'string';
  return hasNumbers && hasTexts ? (value as Checkpoint) : undefined;
}

/** Reads a public or private key in PEM. Throws an Error with the reason if it is not one of Ed25519. */
export function readChainKey(pem: string): KeyObject {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`it is a key of ${key.asymmetricKeyType}, not of Ed25519`);
  return key;
}

export function isSignedBy(checkpoint: Checkpoint, key: KeyObject): boolean {
  return verify(null, signedBytes(checkpoint), key, Buffer.from(checkpoint.signature, 'base64'));
}
