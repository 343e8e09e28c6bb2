/**
 * A node of a fleet: it follows the policies of the bucket, loads those that are for it, and reports its state. It works
 * without a server from the last good state of its disk. It needs no consumer on the server: it reads single records, and
 * the server publishes changes.
 */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Log } from '../log/log.js';
import type { FleetConnection } from './connection.js';
import { explainFailure } from './errors.js';
import { escapeToken, POLICIES_BUCKET } from './names.js';
import {
  CHANGES_PREFIX,
  gateKey,
  headKey,
  manifestKey,
  parseKey,
  POLICIES_STREAM,
  POLICIES_SUBJECT,
  versionKey,
} from './policies/bucket-keys.js';
import type { TrustedKeys } from './policies/keys.js';
import type { LastGood } from './policies/last-good.js';
import { LoadedPolicies, type FleetTarget } from './policies/loaded-policies.js';
import { PolicyReplica, type ReplicaEntry } from './policies/replica.js';
import type { Refusal } from './policies/refusal.js';

export interface MemberOptions {
  readonly connection: Pick<FleetConnection, 'current' | 'listen' | 'connected'>;
  readonly cluster: string;
  readonly nodeName: string;
  readonly keys: TrustedKeys;
  readonly gateKeys: TrustedKeys;
  /** Tests a label selector with the labels of the node. */
  readonly matches: (selector: string) => boolean;
  readonly target: FleetTarget;
  /** Undefined: a node that starts without a server has no policies. */
  readonly lastGood: LastGood | undefined;
  readonly log: Log;
  /** Called when a version was wanted or loaded. */
  readonly onChange: () => void;
}

/** Changes that were not received are found after this time, with a random part. */
const SYNC_MS = 60_000;
const SYNC_RETRY_MS = 2000;
const REQUEST_MS = 5000;

export class PolicyMember {
  readonly #options: MemberOptions;
  readonly #replica: PolicyReplica;
  readonly loaded: LoadedPolicies;
  /** Policies that may have to be loaded or removed. */
  readonly #dirty = new Set<string>();
  #working: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #isSyncWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #changes: { readonly nc: NatsConnection; readonly subscription: Subscription } | undefined;
  #manager: { readonly nc: NatsConnection; readonly jsm: JetStreamManager } | undefined;
  #stopListening: () => void = () => undefined;
  #isStopped = false;
  /** Policies that the server did not give at the last look. */
  #awaited: ReadonlySet<string> = new Set();
  #lastProblem: string | undefined;
  /** True after the policies of the bucket were read once. */
  isSynced = false;

  constructor(options: MemberOptions) {
    const { cluster, nodeName, keys, gateKeys, matches, log, target } = options;
    this.#options = options;
    this.loaded = new LoadedPolicies(target);
    const onRefusal = ({ code, message }: Refusal, place: string): void =>
      log.error({ code, place, reason: message }, 'a record of the fleet is refused');
    this.#replica = new PolicyReplica({ cluster, nodeName, keys, gateKeys, matches, onRefusal });
  }

  get replica(): Pick<PolicyReplica, 'entries' | 'manifest' | 'refusals'> {
    return this.#replica;
  }

  /** True while a rollout that can still stop has reached this node. */
  get isInRollout(): boolean {
    return [...this.#replica.entries.values()].some(
      ({ head, gate }) => head.record.plan.stages.length > 1 && (gate?.record.state ?? 'running') === 'running',
    );
  }

  /** Loads the last good state. Resolves when its policies were tried; the server is asked in the background. */
  async start(): Promise<void> {
    const { lastGood, log, connection } = this.#options;
    lastGood?.restore(this.#replica, (file, { message: reason }) => {
      log.error({ file, reason }, 'a file of the last good state cannot be used');
    });
    for (const name of this.#replica.entries.keys()) this.#dirty.add(name);
    await this.#work();
    this.#stopListening = connection.listen((state) => {
      if (state === 'connected') this.sync();
    });
    this.sync();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening();
    clearTimeout(this.#timer);
    this.#changes?.subscription.unsubscribe();
    await this.#working;
  }

  /** Looks at all policies again, for example after a change of the labels. */
  reconsider(): void {
    for (const name of this.#replica.entries.keys()) this.#dirty.add(name);
    void this.#work();
  }

  /** Reads what is new in the bucket, in the background. */
  sync(): void {
    this.#isSyncWanted = true;
    this.#syncing ??= this.#syncAll().finally(() => (this.#syncing = undefined));
  }

  async #syncAll(): Promise<void> {
    while (this.#isSyncWanted && !this.#isStopped) {
      this.#isSyncWanted = false;
      clearTimeout(this.#timer);
      const nc = this.#options.connection.current;
      let waitMs = SYNC_MS * (0.5 + Math.random());
      try {
        if (nc !== undefined) await this.#readBucket(nc);
        this.#lastProblem = undefined;
      } catch (error) {
        waitMs = SYNC_RETRY_MS * (0.5 + Math.random());
        this.#reportProblem(error);
      }
      if (this.#awaited.size > 0) waitMs = SYNC_RETRY_MS * (0.5 + Math.random());
      this.#timer = setTimeout(() => this.sync(), waitMs);
      this.#timer.unref();
    }
  }

  #reportProblem(error: unknown): void {
    const reason = explainFailure(error, `bucket ${POLICIES_BUCKET}`);
    if (reason !== this.#lastProblem && !this.#isStopped) {
      this.#options.log.warn({ reason }, 'the policies of the fleet cannot be read: they stay as they are');
    }
    this.#lastProblem = reason;
  }

  async #readBucket(nc: NatsConnection): Promise<void> {
    const { cluster } = this.#options;
    // before the first read, so that no change between them is lost
    this.#subscribe(nc);
    const place = manifestKey(cluster);
    const manifest = await this.#get(nc, place);
    if (manifest !== undefined) this.#replica.takeManifest(manifest, place);
    const missing = this.#replica.missingHeads();
    await forEachParallel(missing, async (name) => {
      const key = headKey(cluster, name);
      const head = await this.#get(nc, key);
      if (head !== undefined && this.#replica.takeHead(head, key, escapeToken(name))) this.#touch(name);
    });
    const running = [...this.#replica.entries.values()].filter(
      ({ head, gate }) => head.record.plan.stages.length > 1 && (gate?.record.state ?? 'running') === 'running',
    );
    await forEachParallel(running, async ({ name }) => {
      const key = gateKey(cluster, name);
      const gate = await this.#get(nc, key);
      if (gate !== undefined && this.#replica.takeGate(gate, key)) this.#touch(name);
    });
    const withheld = new Set(this.#replica.missingHeads());
    // another server of the cluster may be a little behind
    for (const name of withheld)
      if (this.#awaited.has(name)) this.#replica.reportWithheld(name, headKey(cluster, name));
    this.#awaited = withheld;
    await this.#work();
    if (withheld.size === 0) this.#save();
    this.isSynced = true;
  }

  /** Returns undefined for a key that does not exist. */
  async #get(nc: NatsConnection, key: string): Promise<string | undefined> {
    if (this.#manager?.nc !== nc) {
      this.#manager = { nc, jsm: await jetstreamManager(nc, { checkAPI: false, timeout: REQUEST_MS }) };
    }
    const subject = `${POLICIES_SUBJECT}.${key}`;
    const message = await this.#manager.jsm.direct.getMessage(POLICIES_STREAM, { last_by_subj: subject });
    // what the server says about deletion is not signed: nothing is removed for that
    return message === null || message.data.length === 0 ? undefined : message.string();
  }

  #subscribe(nc: NatsConnection): void {
    if (this.#changes?.nc === nc) return;
    this.#changes?.subscription.unsubscribe();
    const prefix = `${CHANGES_PREFIX}.${escapeToken(this.#options.cluster)}`;
    const subscription = nc.subscribe(`${prefix}.>`, {
      callback: (error, message) => {
        if (error === null || error === undefined)
          this.#take(message.subject.slice(prefix.length + 1), message.string());
        else this.#reportProblem(error);
      },
    });
    this.#changes = { nc, subscription };
  }

  #take(key: string, envelope: string): void {
    const parsed = parseKey(key);
    if (parsed === undefined || parsed.kind === 'version' || envelope === '' || this.#isStopped) return;
    const { kind, token } = parsed;
    if (kind === 'manifest') {
      if (this.#replica.takeManifest(envelope, key) && this.#replica.missingHeads().length > 0) this.sync();
      else this.#save();
      return;
    }
    const isNews =
      kind === 'head' ? this.#replica.takeHead(envelope, key, token) : this.#replica.takeGate(envelope, key);
    if (!isNews) return;
    for (const { name } of this.#replica.entries.values()) if (escapeToken(name) === token) this.#touch(name);
    void this.#work();
  }

  #touch(name: string): void {
    this.#dirty.add(name);
  }

  /** Loads and removes policies, one after the other. */
  #work(): Promise<void> {
    this.#working ??= this.#workAll().finally(() => (this.#working = undefined));
    return this.#working;
  }

  async #workAll(): Promise<void> {
    let isChanged = false;
    for (const name of this.#dirty) {
      this.#dirty.delete(name);
      const entry = this.#replica.entries.get(name);
      if (entry === undefined || this.#isStopped) continue;
      isChanged = (await this.#settle(entry)) || isChanged;
    }
    if (isChanged) this.#options.onChange();
  }

  async #settle(entry: ReplicaEntry): Promise<boolean> {
    const { log } = this.#options;
    const { name } = entry;
    try {
      const { record, missing } = this.#replica.decide(entry);
      if (missing !== undefined) {
        await this.#fetchBase(name, missing);
        return true;
      }
      this.#saveEntry(entry);
      return await this.loaded.want(name, record);
    } catch (error) {
      log.error({ policy: name, reason: (error as Error).message }, 'a policy of the fleet cannot be used');
      return false;
    }
  }

  /** Reads the version for nodes that a rollout has not reached. Until then, the loaded version stays. */
  async #fetchBase(name: string, version: number): Promise<void> {
    const nc = this.#options.connection.current;
    if (nc === undefined) return;
    const key = versionKey(this.#options.cluster, name, version);
    try {
      const envelope = await this.#get(nc, key);
      if (envelope !== undefined && this.#replica.takeBase(name, envelope, key)) this.#touch(name);
    } catch (error) {
      this.#reportProblem(error);
    }
  }

  #save(): void {
    const { lastGood } = this.#options;
    const { manifest } = this.#replica;
    if (lastGood === undefined || manifest === undefined || this.#replica.missingHeads().length > 0) return;
    this.#tryToSave(() => lastGood.saveManifest(manifest.envelope));
  }

  #saveEntry(entry: ReplicaEntry): void {
    this.#tryToSave(() => this.#options.lastGood?.save(entry));
  }

  #tryToSave(save: () => void): void {
    try {
      save();
    } catch (error) {
      this.#reportProblem(error);
    }
  }
}

const PARALLEL = 16;

async function forEachParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += PARALLEL) await Promise.all(items.slice(at, at + PARALLEL).map(run));
}
