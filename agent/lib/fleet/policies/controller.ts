/**
 * The controller of rollouts: it reads the reports of the nodes, and signs how far each rollout may go. It runs within
 * agents that have its key, so that a rollout needs no laptop. Several controllers need no election: each decides the
 * same from the same reports, and the bucket takes one of their equal answers.
 */
import { Kvm, type KV, type KvWatchEntry } from '@nats-io/kv';
import type { NatsConnection, QueuedIterator } from '@nats-io/transport-node';
import type { Log } from '../../log/log.js';
import type { FleetConnection } from '../connection.js';
import { explainFailure } from '../errors.js';
import { escapeToken, NODES_BUCKET, POLICIES_BUCKET } from '../names.js';
import { NODES_TTL_MS, parseReport, type NodeReport } from '../nodes/report.js';
import { gateKey, parseKey } from './bucket-keys.js';
import { decideStage } from './decide-stage.js';
import { signRecord } from './envelope.js';
import type { SigningKey, TrustedKeys } from './keys.js';
import { openGate, openPolicy, type Gate, type PolicyRecord } from './records.js';
import { Refusal } from './refusal.js';

export interface ControllerOptions {
  readonly connection: Pick<FleetConnection, 'current' | 'listen'>;
  readonly cluster: string;
  readonly signingKey: SigningKey;
  /** The keys of operators. */
  readonly keys: TrustedKeys;
  readonly gateKeys: TrustedKeys;
  readonly parseSelector: (selector: string) => (labels: Readonly<Record<string, string>>) => boolean;
  readonly log: Log;
}

interface Rollout {
  readonly record: PolicyRecord;
  gate: Gate | undefined;
  revision: number;
  /** When this controller saw the stage begin. */
  stageStart: number;
  /** Since when all nodes of the stage are well. */
  healthySince: number | undefined;
  isWriting: boolean;
}

const TICK_MS = 500;
const RETRY_MS = 1000;
/** Reports that a server may give; more are ignored. */
const NODES_MAX = 50_000;

export class RolloutController {
  readonly #options: ControllerOptions;
  readonly #nodes = new Map<string, { readonly report: NodeReport; readonly receivedAt: number }>();
  /** Rollouts by the escaped names of their policies. */
  readonly #rollouts = new Map<string, Rollout>();
  /** Gates whose policy was not read yet. */
  readonly #gates = new Map<string, { readonly gate: Gate; readonly revision: number }>();
  #watched: NatsConnection | undefined;
  #policies: KV | undefined;
  #iterators: QueuedIterator<KvWatchEntry>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopListening: () => void = () => undefined;
  #isStopped = false;
  #lastProblem: string | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** The newest report of each node that is alive. */
  get nodes(): NodeReport[] {
    return Array.from(this.#nodes.values(), ({ report }) => report);
  }

  start(): void {
    this.#stopListening = this.#options.connection.listen((state) => {
      if (state === 'connected') void this.#watch();
    });
    this.#timer = setInterval(() => {
      void this.#watch();
      this.#decideAll();
    }, TICK_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    clearInterval(this.#timer);
    for (const iterator of this.#iterators) iterator.stop();
  }

  async #watch(): Promise<void> {
    const nc = this.#options.connection.current;
    if (nc === undefined || nc === this.#watched || this.#isStopped) return;
    this.#watched = nc;
    for (const iterator of this.#iterators) iterator.stop();
    this.#iterators = [];
    try {
      const kvm = new Kvm(nc);
      const cluster = escapeToken(this.#options.cluster);
      const nodes = await kvm.open(NODES_BUCKET);
      this.#policies = await kvm.open(POLICIES_BUCKET);
      const nodeChanges = await nodes.watch({ key: `${cluster}.*` });
      const policyChanges = await this.#policies.watch({ key: [`${cluster}.head.*`, `${cluster}.gate.*`] });
      this.#iterators = [nodeChanges, policyChanges];
      this.#lastProblem = undefined;
      this.#follow(nc, nodeChanges, (entry) => this.#takeReport(entry));
      this.#follow(nc, policyChanges, (entry) => this.#takeRecord(entry));
    } catch (error) {
      this.#reportProblem(error);
      setTimeout(() => (this.#watched = undefined), RETRY_MS).unref();
    }
  }

  /** The log has a problem once, until the rollouts are followed again. */
  #reportProblem(error: unknown): void {
    const reason = explainFailure(error, `bucket ${POLICIES_BUCKET}`);
    if (reason !== this.#lastProblem)
      this.#options.log.warn({ reason }, 'the rollouts of the fleet cannot be followed');
    this.#lastProblem = reason;
  }

  #follow(nc: NatsConnection, changes: QueuedIterator<KvWatchEntry>, take: (entry: KvWatchEntry) => void): void {
    void (async () => {
      try {
        for await (const entry of changes) take(entry);
      } catch (error) {
        this.#reportProblem(error);
      }
      // the server has ended it: follow again
      if (this.#watched === nc && !this.#isStopped) this.#watched = undefined;
    })();
  }

  #takeReport(entry: KvWatchEntry): void {
    if (entry.operation !== 'PUT') return void this.#nodes.delete(entry.key);
    const report = parseReport(entry.string());
    if (report === undefined || (this.#nodes.size >= NODES_MAX && !this.#nodes.has(entry.key))) return;
    this.#nodes.delete(entry.key);
    this.#nodes.set(entry.key, { report, receivedAt: performance.now() });
  }

  #takeRecord(entry: KvWatchEntry): void {
    const parsed = parseKey(entry.key.slice(escapeToken(this.#options.cluster).length + 1));
    if (parsed === undefined || entry.operation !== 'PUT') return;
    const { keys, gateKeys, cluster, log } = this.#options;
    try {
      if (parsed.kind === 'head') {
        const { record } = openPolicy(entry.string(), keys, cluster);
        if (escapeToken(record.name) === parsed.token) this.#begin(parsed.token, record);
      } else {
        const { record: gate } = openGate(entry.string(), new Map([...keys, ...gateKeys]), cluster);
        if (escapeToken(gate.name) === parsed.token) this.#setGate(parsed.token, gate, entry.revision);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.error({ code: error.code, place: entry.key, reason: error.message }, 'a record of the fleet is refused');
    }
  }

  #begin(token: string, record: PolicyRecord): void {
    const known = this.#rollouts.get(token);
    if (known !== undefined && known.record.version >= record.version) return;
    const now = performance.now();
    const revision = this.#gates.get(token)?.revision ?? known?.revision ?? 0;
    const rollout: Rollout = {
      record,
      gate: undefined,
      revision,
      stageStart: now,
      healthySince: undefined,
      isWriting: false,
    };
    this.#rollouts.set(token, rollout);
    const early = this.#gates.get(token);
    if (early !== undefined) this.#setGate(token, early.gate, early.revision);
  }

  #setGate(token: string, gate: Gate, revision: number): void {
    this.#gates.set(token, { gate, revision });
    const rollout = this.#rollouts.get(token);
    if (rollout === undefined) return;
    rollout.revision = Math.max(rollout.revision, revision);
    const known = rollout.gate;
    const isOther = gate.version !== rollout.record.version || (known !== undefined && known.state !== 'running');
    if (isOther || gate.stage < (known?.stage ?? 0)) return;
    if (gate.stage !== (known?.stage ?? 0)) {
      rollout.stageStart = performance.now();
      rollout.healthySince = undefined;
    }
    rollout.gate = gate;
  }

  #decideAll(): void {
    this.#forgetSilentNodes();
    for (const rollout of this.#rollouts.values()) this.#decide(rollout);
  }

  /** A server removes old reports without saying so. */
  #forgetSilentNodes(): void {
    const oldest = performance.now() - NODES_TTL_MS;
    for (const [key, { receivedAt }] of this.#nodes) {
      // the map has the oldest first
      if (receivedAt >= oldest) return;
      this.#nodes.delete(key);
    }
  }

  #decide(rollout: Rollout): void {
    const { record, gate } = rollout;
    const stages = record.plan.stages.length;
    if (stages === 1 || rollout.isWriting || (gate !== undefined && gate.state !== 'running')) return;
    const stage = gate?.stage ?? 0;
    const now = performance.now();
    const selects = this.#options.parseSelector(record.nodes);
    const nodes = [...this.#nodes.values()].map(({ report }) => report).filter(({ labels }) => selects(labels));
    const decision = decideStage(record, stage, nodes, now - rollout.stageStart);
    switch (decision.kind) {
      case 'wait':
        rollout.healthySince = undefined;
        return;
      case 'stop':
        return this.#write(rollout, { stage, state: 'stopped', reason: decision.reason });
      case 'healthy':
        rollout.healthySince ??= now;
        if (now - rollout.healthySince < record.plan.waitMs) return;
        if (stage === stages - 1) return this.#write(rollout, { stage, state: 'complete', reason: '' });
        return this.#write(rollout, { stage: stage + 1, state: 'running', reason: '' });
    }
  }

  #write(rollout: Rollout, change: Pick<Gate, 'stage' | 'state' | 'reason'>): void {
    const { cluster, signingKey, log } = this.#options;
    const { name, version } = rollout.record;
    const gate: Gate = { cluster, name, version, ...change, created: new Date().toISOString() };
    const key = gateKey(cluster, name);
    const message = change.state === 'stopped' ? 'a rollout of the fleet is stopped' : 'a rollout of the fleet goes on';
    rollout.isWriting = true;
    const { envelope } = signRecord('gate', gate, signingKey);
    void this.#policies
      ?.put(key, envelope, { previousSeq: rollout.revision })
      .then((revision) => {
        log.warn({ policy: name, version, ...change }, message);
        this.#setGate(escapeToken(name), gate, revision);
      })
      .catch((error: unknown) => {
        // another controller was first, or no server answers
        log.debug({ policy: name, reason: (error as Error).message }, 'the state of a rollout was not written');
      })
      .finally(() => (rollout.isWriting = false));
  }
}
