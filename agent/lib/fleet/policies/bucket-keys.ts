/** The keys of the bucket of policies. */
import { escapeToken, POLICIES_BUCKET } from '../names.js';

/** The newest version of a policy. */
export function headKey(cluster: string, name: string): string {
  return `${escapeToken(cluster)}.head.${escapeToken(name)}`;
}

/** A version of a policy. It never changes. */
export function versionKey(cluster: string, name: string, version: number): string {
  return `${escapeToken(cluster)}.version.${escapeToken(name)}.${version}`;
}

/** How far the rollout of the newest version is. */
export function gateKey(cluster: string, name: string): string {
  return `${escapeToken(cluster)}.gate.${escapeToken(name)}`;
}

/** The signed list of the newest versions. */
export function manifestKey(cluster: string): string {
  return `${escapeToken(cluster)}.manifest`;
}

/** The stream of the bucket. */
export const POLICIES_STREAM = `KV_${POLICIES_BUCKET}`;
/** The prefix of the subjects of a bucket. */
export const POLICIES_SUBJECT = `$KV.${POLICIES_BUCKET}`;
/** The server publishes each change once more below this prefix, so that a node needs no consumer. */
export const CHANGES_PREFIX = 'polytrace.policies';

/** A key of the bucket, taken apart. Undefined: another key. */
export interface ParsedKey {
  readonly kind: 'head' | 'gate' | 'manifest' | 'version';
  /** The escaped name of the policy. */
  readonly token: string;
}

/** Parses a key without its cluster. */
export function parseKey(key: string): ParsedKey | undefined {
  const [kind = '', token = '', ...more] = key.split('.');
  if (kind === 'manifest' && token === '') return { kind, token };
  if (token === '') return undefined;
  if ((kind === 'head' || kind === 'gate') && more.length === 0) return { kind, token };
  return kind === 'version' && more.length === 1 ? { kind, token } : undefined;
}
