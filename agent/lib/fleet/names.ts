/**
 * The names of a fleet on a NATS server: subjects, streams, buckets, keys. Names of machines, clusters and policies
 * become one token of a subject each, whatever characters they have.
 */
import { createHash } from 'node:crypto';

/** The JetStream stream with the events of all nodes. */
export const EVENTS_STREAM = 'POLYTRACE_EVENTS';
/** The buckets with the policies of the fleet, and with the state of its nodes. */
export const POLICIES_BUCKET = 'polytrace-policies';
export const NODES_BUCKET = 'polytrace-nodes';
/** The cluster of agents without the setting `cluster-name`. */
export const DEFAULT_CLUSTER = 'default';

/** Headers of a message with events. */
export const HEADERS = {
  /** The sequence number of each line: `1,3,5-9`. */
  numbers: 'Polytrace-Sequence',
  /** The numbering: the boot of the machine, and the start of the numbering in it. */
  boot: 'Polytrace-Boot',
  /** The first sequence number of the messages that were published together. */
  batch: 'Polytrace-Batch',
  /** How many messages of each type were published together: `process_exec:1,process_kprobe:3`. */
  parts: 'Polytrace-Parts',
} as const;

/** Prefix of the subjects of all events. */
export const EVENTS_PREFIX = 'polytrace.events';

/** The longest token. A subject has four of them, and a server reads lines of 4,096 bytes. */
const TOKEN_MAX = 200;
const HASH_LENGTH = 16;

/**
 * Escapes a name as one token of a subject, or of a key in a bucket. Letters, digits, `_` and `-` stay. Each other byte
 * of its UTF-8 becomes `=XX`, and the empty name `=`. A name that is too long ends in `=~` and a part of its SHA-256.
 */
export function escapeToken(name: string): string {
  if (name === '') return '=';
  const token = /^[\w-]+$/.test(name) ? name : escapeBytes(name);
  if (token.length <= TOKEN_MAX) return token;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_LENGTH);
  // not within an escaped byte
  const start = token.slice(0, TOKEN_MAX - HASH_LENGTH - 2).replace(/=.?$/, '');
  return `${start}=~${hash}`;
}

function escapeBytes(name: string): string {
  let token = '';
  for (const byte of Buffer.from(name)) {
    const letter = String.fromCharCode(byte);
    token += /[\w-]/.test(letter) ? letter : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return token;
}

/** Returns the name of a token. Of a name that was too long, it returns the beginning and `…`. */
export function unescapeToken(token: string): string {
  if (token === '=') return '';
  const cut = token.indexOf('=~');
  const bytes = (cut < 0 ? token : token.slice(0, cut)).replace(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return `${Buffer.from(bytes, 'latin1').toString()}${cut < 0 ? '' : '…'}`;
}

/** The parts of the subject of an event. An event without a policy has an empty name there. */
export interface EventSubject {
  readonly cluster: string;
  readonly node: string;
  readonly type: string;
  readonly policy: string;
}

export function eventSubject({ cluster, node, type, policy }: EventSubject): string {
  return `${nodeSubjects(cluster, node)}.${escapeToken(type)}.${escapeToken(policy)}`;
}

/** Returns the prefix of all subjects that an agent publishes events to. */
export function nodeSubjects(cluster: string, node: string): string {
  return `${EVENTS_PREFIX}.${escapeToken(cluster)}.${escapeToken(node)}`;
}

/** The tokens of a subject, which are escaped names. Undefined: it is no subject of events. */
export function parseEventSubject(subject: string): EventSubject | undefined {
  const [first, second, cluster, node, type, policy, more] = subject.split('.');
  if (`${first}.${second}` !== EVENTS_PREFIX || more !== undefined) return undefined;
  if (cluster === undefined || node === undefined || type === undefined || policy === undefined) return undefined;
  return { cluster, node, type, policy };
}

/** The key of a node, or of a policy of a cluster, in a bucket. */
export function bucketKey(cluster: string, name: string): string {
  return `${escapeToken(cluster)}.${escapeToken(name)}`;
}

/**
 * The prefix of the subjects where an agent gets its answers. With the prefix of others, an agent could read what is
 * answered to them.
 */
export function agentInbox(cluster: string, node: string): string {
  return `_INBOX_polytrace.${escapeToken(cluster)}.${escapeToken(node)}`;
}
