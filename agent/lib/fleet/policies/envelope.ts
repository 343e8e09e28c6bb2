/**
 * Signed records. A record is signed as the bytes that are sent, so no two readers can disagree about what was signed.
 * The kind is signed with it: a record of one kind is not one of another.
 */
import { createHash, sign, verify } from 'node:crypto';
import type { SigningKey, TrustedKeys } from './keys.js';
import { Refusal } from './refusal.js';

export type RecordKind = 'policy' | 'manifest' | 'gate';

/** A record whose signature was checked, with the bytes that were checked. */
export interface Signed<T> {
  readonly record: T;
  readonly envelope: string;
  readonly digest: string;
}

/** Largest record in the bucket. A server of NATS refuses messages above 1 MiB. */
export const ENVELOPE_BYTES_MAX = 900_000;

function signedBytes(kind: RecordKind, payload: string): Buffer {
  return Buffer.from(`polytrace fleet 1\n${kind}\n${payload}`);
}

/** Returns the text for the bucket. */
export function signRecord<T extends object>(kind: RecordKind, record: T, { key, fingerprint }: SigningKey): Signed<T> {
  const payload = JSON.stringify(record);
  const signature = sign(null, signedBytes(kind, payload), key).toString('base64');
  const envelope = JSON.stringify({ payload, key: fingerprint, signature });
  return { record, envelope, digest: hashPayload(payload) };
}

/** Checks the signature, and returns the payload. Throws Refusal. */
export function openEnvelope(
  kind: RecordKind,
  envelope: string,
  keys: TrustedKeys,
): { readonly payload: string; readonly digest: string } {
  if (envelope.length > ENVELOPE_BYTES_MAX) throw new Refusal('FLEET_RECORD', 'the record is too large');
  const { payload, key: fingerprint, signature } = parseEnvelope(envelope);
  if (signature === undefined || fingerprint === undefined) {
    throw new Refusal('FLEET_SIGNATURE', 'the record is not signed');
  }
  const key = keys.get(fingerprint);
  if (key === undefined) {
    throw new Refusal('FLEET_SIGNATURE', `the key ${printable(fingerprint)} is not one of the trusted keys`);
  }
  if (!verify(null, signedBytes(kind, payload), key, Buffer.from(signature, 'base64'))) {
    throw new Refusal('FLEET_SIGNATURE', `the signature of the key ${fingerprint} is wrong`);
  }
  return { payload, digest: hashPayload(payload) };
}

interface Envelope {
  readonly payload: string;
  readonly key?: string;
  readonly signature?: string;
}

function parseEnvelope(envelope: string): Envelope {
  const { payload, key, signature } = parseJson(envelope) as { [K in keyof Envelope]?: unknown };
  if (typeof payload !== 'string') throw new Refusal('FLEET_RECORD', 'the record has no payload');
  return { payload, ...(typeof key === 'string' && { key }), ...(typeof signature === 'string' && { signature }) };
}

/** Parses a JSON object. Throws Refusal. */
export function parseJson(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal('FLEET_RECORD', 'the record is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw new Refusal('FLEET_RECORD', 'the record is not an object');
  return value;
}

function hashPayload(payload: string): string {
  return createHash('sha256').update(payload).digest('hex');
}

function printable(text: string): string {
  return text.replace(/[^\w]/g, '?').slice(0, 64);
}
