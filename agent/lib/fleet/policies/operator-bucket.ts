/**
 * The buckets as an operator uses them: a new version goes into the archive, becomes the newest one, and is entered in
 * the signed list. What is read was signed by a trusted key, or counts for nothing.
 */
import { Kvm, type KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { makeError } from '../errors.js';
import { escapeToken, NODES_BUCKET, POLICIES_BUCKET } from '../names.js';
import { NODES_TTL_MS, parseReport, type NodeReport } from '../nodes/report.js';
import {
  CHANGES_PREFIX,
  gateKey,
  headKey,
  manifestKey,
  parseKey,
  POLICIES_SUBJECT,
  versionKey,
} from './bucket-keys.js';
import { ENVELOPE_BYTES_MAX, signRecord, type Signed } from './envelope.js';
import type { SigningKey, TrustedKeys } from './keys.js';
import {
  openGate,
  openManifest,
  openPolicy,
  POLICIES_MAX,
  type Gate,
  type Manifest,
  type PolicyRecord,
} from './records.js';
import { Refusal } from './refusal.js';

const BUCKET_BYTES_MAX = 256 * 1024 * 1024;
const NODES_BYTES_MAX = 128 * 1024 * 1024;
/** Versions of a policy that are kept. */
const VERSIONS_MAX = 100;

/** Makes both buckets, or changes their settings to these. Needs the rights of an operator. */
export async function createBuckets(nc: NatsConnection, replicas: number): Promise<void> {
  const kvm = new Kvm(nc);
  const base = { history: 1, replicas, allow_direct: true };
  const source = `${POLICIES_SUBJECT}.>`;
  const republish = { src: source, dest: `${CHANGES_PREFIX}.>` };
  await kvm.create(POLICIES_BUCKET, {
    ...base,
    max_bytes: BUCKET_BYTES_MAX,
    maxValueSize: ENVELOPE_BYTES_MAX,
    republish,
  });
  await kvm.create(NODES_BUCKET, { ...base, max_bytes: NODES_BYTES_MAX, ttl: NODES_TTL_MS });
}

export interface OperatorKeys {
  readonly keys: TrustedKeys;
  readonly gateKeys: TrustedKeys;
}

/** A record with the revision of its key. */
interface Stored<T> {
  readonly signed: Signed<T>;
  readonly revision: number;
}

export class OperatorBucket {
  readonly #policies: KV;
  readonly #nodes: KV;
  readonly #cluster: string;
  readonly #keys: OperatorKeys;

  private constructor(policies: KV, nodes: KV, cluster: string, keys: OperatorKeys) {
    this.#policies = policies;
    this.#nodes = nodes;
    this.#cluster = cluster;
    this.#keys = keys;
  }

  static async open(nc: NatsConnection, cluster: string, keys: OperatorKeys): Promise<OperatorBucket> {
    const kvm = new Kvm(nc);
    return new OperatorBucket(await kvm.open(POLICIES_BUCKET), await kvm.open(NODES_BUCKET), cluster, keys);
  }

  async #read<T>(key: string, open: (text: string) => Signed<T>): Promise<Stored<T> | undefined> {
    const entry = await this.#policies.get(key);
    if (entry === null || entry.operation !== 'PUT') return undefined;
    try {
      return { signed: open(entry.string()), revision: entry.revision };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw makeError(
        error.code,
        `${key}: ${error.message}`,
        'check --fleet-policy-key, and who may write into the bucket; see fleet.md for the repair',
      );
    }
  }

  readManifest(): Promise<Stored<Manifest> | undefined> {
    return this.#read(manifestKey(this.#cluster), (text) => openManifest(text, this.#keys.keys, this.#cluster));
  }

  readHead(name: string): Promise<Stored<PolicyRecord> | undefined> {
    return this.#read(headKey(this.#cluster, name), (text) => openPolicy(text, this.#keys.keys, this.#cluster));
  }

  async readVersion(name: string, version: number): Promise<PolicyRecord | undefined> {
    const open = (text: string): Signed<PolicyRecord> => openPolicy(text, this.#keys.keys, this.#cluster);
    const record = (await this.#read(versionKey(this.#cluster, name, version), open))?.signed.record;
    return record?.name === name && record.version === version ? record : undefined;
  }

  async readGate(name: string): Promise<Gate | undefined> {
    const keys = new Map([...this.#keys.keys, ...this.#keys.gateKeys]);
    const open = (text: string): Signed<Gate> => openGate(text, keys, this.#cluster);
    return (await this.#read(gateKey(this.#cluster, name), open))?.signed.record;
  }

  /**
   * The newest versions of all policies that an operator has signed, with deleted ones, and the states of their rollouts.
   * `onRefusal` is called for each record that counts for nothing.
   */
  async listHeads(
    onRefusal: (place: string, refusal: Refusal) => void,
  ): Promise<{ readonly record: PolicyRecord; readonly gate: Gate | undefined }[]> {
    const { keys, gateKeys } = this.#keys;
    const heads = new Map<string, PolicyRecord>();
    const gates = new Map<string, Gate>();
    const prefix = `${escapeToken(this.#cluster)}.`;
    const key = [`${prefix}head.*`, `${prefix}gate.*`, manifestKey(this.#cluster)];
    for await (const entry of await this.#policies.history({ key })) {
      const parsed = parseKey(entry.key.slice(prefix.length));
      if (parsed === undefined || entry.operation !== 'PUT') continue;
      try {
        const text = entry.string();
        if (parsed.kind === 'head') heads.set(parsed.token, openPolicy(text, keys, this.#cluster).record);
        else if (parsed.kind === 'manifest') openManifest(text, keys, this.#cluster);
        else gates.set(parsed.token, openGate(text, new Map([...keys, ...gateKeys]), this.#cluster).record);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        onRefusal(entry.key, error);
      }
    }
    const rows = [...heads].filter(([token, { name }]) => escapeToken(name) === token);
    return rows
      .map(([token, record]) => ({ record, gate: gates.get(token) }))
      .sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
  }

  /**
   * Signs and writes the next version of a policy. Rejects with FLEET_CONFLICT if another operator was faster, and with
   * FLEET_LIMIT.
   */
  async writeVersion(
    make: (version: number) => Omit<PolicyRecord, 'cluster' | 'version' | 'created'>,
    name: string,
    key: SigningKey,
  ): Promise<PolicyRecord> {
    const cluster = this.#cluster;
    const manifest = await this.readManifest();
    const head = await this.readHead(name);
    const versions = manifest?.signed.record.versions ?? {};
    if (versions[name] === undefined && Object.keys(versions).length >= POLICIES_MAX) {
      throw makeError('FLEET_LIMIT', `the cluster ${cluster} has ${POLICIES_MAX} policies`, 'use another cluster');
    }
    const version = Math.max(versions[name] ?? 0, head?.signed.record.version ?? 0) + 1;
    const created = new Date().toISOString();
    const signed = signRecord('policy', { cluster, version, created, ...make(version) }, key);
    if (signed.envelope.length > ENVELOPE_BYTES_MAX) {
      throw makeError('FLEET_LIMIT', `the policy ${name} is too large for a fleet`, 'use a policy of at most 800 kB');
    }
    const sequence = (manifest?.signed.record.sequence ?? 0) + 1;
    const next: Manifest = { cluster, sequence, created, versions: { ...versions, [name]: version } };
    const list = signRecord('manifest', next, key).envelope;
    try {
      // an interrupted command may have left this version: it was never the newest one
      await this.#policies.put(versionKey(cluster, name, version), signed.envelope);
      await this.#policies.put(headKey(cluster, name), signed.envelope, { previousSeq: head?.revision ?? 0 });
      await this.#policies.put(manifestKey(cluster), list, { previousSeq: manifest?.revision ?? 0 });
    } catch (error) {
      if (!/wrong last sequence/i.test((error as Error).message)) throw error;
      throw makeError('FLEET_CONFLICT', `another operator changes policies of ${cluster} now`, 'try it again');
    }
    if (version > VERSIONS_MAX) await this.#policies.purge(versionKey(cluster, name, version - VERSIONS_MAX));
    return signed.record;
  }

  /** The reports of all nodes that are alive, sorted by their names. */
  async listNodes(): Promise<NodeReport[]> {
    const reports: NodeReport[] = [];
    for await (const entry of await this.#nodes.history({ key: `${escapeToken(this.#cluster)}.*` })) {
      const report = entry.operation === 'PUT' ? parseReport(entry.string()) : undefined;
      if (report !== undefined) reports.push(report);
    }
    return reports.sort((a, b) => (a.node < b.node ? -1 : 1));
  }
}
