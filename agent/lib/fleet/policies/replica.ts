/**
 * The policies of a fleet as one node knows them: which versions it has accepted, how far their rollouts are, and which
 * version it has to load. Whoever delivers a record counts for nothing: only what a trusted key has signed changes
 * something, and only if it is newer.
 */
import { escapeToken } from '../names.js';
import type { Signed } from './envelope.js';
import type { TrustedKeys } from './keys.js';
import { isInStage } from './plan.js';
import {
  openGate,
  openManifest,
  openPolicy,
  POLICIES_MAX,
  type Gate,
  type Manifest,
  type PolicyRecord,
} from './records.js';
import { Refusal, Refusals } from './refusal.js';

export interface ReplicaOptions {
  readonly cluster: string;
  readonly nodeName: string;
  /** The keys of operators. */
  readonly keys: TrustedKeys;
  /** The keys of controllers, in addition to those of operators. */
  readonly gateKeys: TrustedKeys;
  /** Tests a label selector with the labels that the node has now. Throws for a selector that is not valid. */
  readonly matches: (selector: string) => boolean;
  /** Called for a refusal that is not known yet. */
  readonly onRefusal: (refusal: Refusal, place: string) => void;
}

/** What is known of one policy. */
export interface ReplicaEntry {
  readonly name: string;
  readonly head: Signed<PolicyRecord>;
  /** The version for nodes that the rollout has not reached. Undefined: none, or not delivered yet. */
  readonly base: Signed<PolicyRecord> | undefined;
  readonly gate: Signed<Gate> | undefined;
}

/** What a node has to load for a policy. */
export interface Decision {
  /** Undefined: the node has no version of the policy, or its version has to be delivered first. */
  readonly record: PolicyRecord | undefined;
  /** The version of the archive that has to be delivered before the node can decide. */
  readonly missing: number | undefined;
  /** The rollout of the newest version has reached the node. */
  readonly isReached: boolean;
}

export class PolicyReplica {
  readonly #options: ReplicaOptions;
  readonly #entries = new Map<string, ReplicaEntry>();
  #manifest: Signed<Manifest> | undefined;
  readonly refusals = new Refusals();

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  get entries(): ReadonlyMap<string, ReplicaEntry> {
    return this.#entries;
  }

  get manifest(): Signed<Manifest> | undefined {
    return this.#manifest;
  }

  /**
   * Takes the newest version of a policy. Returns true if it changes something. `place` is for messages, and `token` is
   * the name in the key of the bucket.
   */
  takeHead(envelope: string, place: string, token?: string): boolean {
    return this.#refuse(place, () => {
      const { keys, cluster } = this.#options;
      const head = openPolicy(envelope, keys, cluster);
      const { name, version } = head.record;
      if (token !== undefined && escapeToken(name) !== token) {
        throw new Refusal('FLEET_REPLAYED', `the record is the one of ${name}, version ${version}`);
      }
      const listed = this.#manifest?.record.versions[name] ?? 0;
      if (version < listed) {
        throw new Refusal('FLEET_OLDER', `version ${version} is older than version ${listed} of the signed list`);
      }
      const entry = this.#entries.get(name);
      if (entry === undefined && this.#entries.size >= POLICIES_MAX) {
        throw new Refusal('FLEET_LIMIT', `a node keeps at most ${POLICIES_MAX} policies of its fleet`);
      }
      const before = entry?.head;
      if (before !== undefined && version < before.record.version) {
        throw new Refusal('FLEET_OLDER', `version ${version} is older than version ${before.record.version}`);
      }
      if (before !== undefined && version === before.record.version) {
        if (head.digest === before.digest) return false;
        throw new Refusal('FLEET_REPLAYED', `version ${version} was signed twice with different content`);
      }
      const base = [before, entry?.base].find((each) => each?.record.version === head.record.base);
      this.#entries.set(name, { name, head, base, gate: undefined });
      return true;
    });
  }

  /** Takes a version of the archive that the newest version names. Returns true if it changes something. */
  takeBase(name: string, envelope: string, place: string): boolean {
    return this.#refuse(place, () => {
      const entry = this.#entries.get(name);
      if (entry === undefined || entry.base !== undefined || entry.head.record.base === 0) return false;
      const { keys, cluster } = this.#options;
      const base = openPolicy(envelope, keys, cluster);
      const { name: given, version } = base.record;
      if (given !== name || version !== entry.head.record.base) {
        throw new Refusal('FLEET_REPLAYED', `the record is the one of ${given}, version ${version}`);
      }
      this.#entries.set(name, { ...entry, base });
      return true;
    });
  }

  /** Takes the state of a rollout. Returns true if it changes something. */
  takeGate(envelope: string, place: string): boolean {
    return this.#refuse(place, () => {
      const { keys, gateKeys, cluster } = this.#options;
      const gate = openGate(envelope, new Map([...keys, ...gateKeys]), cluster);
      const { name, version, stage, state } = gate.record;
      const entry = this.#entries.get(name);
      // that of a version which is not delivered yet is asked for again
      if (entry === undefined || version > entry.head.record.version) return false;
      if (version < entry.head.record.version) {
        throw new Refusal('FLEET_OLDER', `the rollout is the one of version ${version}`);
      }
      const known = entry.gate?.record;
      if (known !== undefined && (stage < known.stage || known.state !== 'running')) {
        if (stage === known.stage && state === known.state) return false;
        throw new Refusal(
          'FLEET_OLDER',
          `stage ${stage} (${state}) is older than stage ${known.stage} (${known.state})`,
        );
      }
      if (known?.stage === stage && known.state === state) return false;
      this.#entries.set(name, { ...entry, gate });
      return true;
    });
  }

  /** Takes the list of the newest versions. Returns true if it is newer. */
  takeManifest(envelope: string, place: string): boolean {
    return this.#refuse(place, () => {
      if (this.#manifest?.envelope === envelope) return false;
      const { keys, cluster } = this.#options;
      const manifest = openManifest(envelope, keys, cluster);
      const known = this.#manifest?.record.sequence ?? -1;
      const { sequence } = manifest.record;
      if (sequence < known) throw new Refusal('FLEET_OLDER', `list ${sequence} is older than list ${known}`);
      if (sequence === known) throw new Refusal('FLEET_REPLAYED', `list ${sequence} was signed twice`);
      this.#manifest = manifest;
      return true;
    });
  }

  /** Policies whose newest version, as the signed list has it, was not delivered yet. */
  missingHeads(): string[] {
    const versions = Object.entries(this.#manifest?.record.versions ?? {});
    return versions
      .filter(([name, version]) => (this.#entries.get(name)?.head.record.version ?? 0) < version)
      .map(([name]) => name);
  }

  /** Reports that the server does not give what the signed list names. */
  reportWithheld(name: string, place: string): void {
    const wanted = this.#manifest?.record.versions[name] ?? 0;
    const given = this.#entries.get(name)?.head.record.version ?? 0;
    const message = `the signed list has version ${wanted} of ${name}, and the server gives version ${given}`;
    this.#report(new Refusal('FLEET_WITHHELD', message), place);
  }

  /** Returns what the node has to load. Throws PolytraceError for a selector that is not valid. */
  decide({ head, base, gate }: ReplicaEntry): Decision {
    const isReached = isInStage(head.record.plan, gate?.record.stage ?? 0, this.#options.nodeName);
    const isBaseMissing = !isReached && head.record.base !== 0 && base === undefined;
    if (isBaseMissing) return { record: undefined, missing: head.record.base, isReached };
    const { record } = isReached ? head : { record: base?.record };
    const isWanted = record !== undefined && !record.isDeleted && this.#options.matches(record.nodes);
    return { record: isWanted ? record : undefined, missing: undefined, isReached };
  }

  #refuse(place: string, take: () => boolean): boolean {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#report(error, place);
      return false;
    }
  }

  #report(refusal: Refusal, place: string): void {
    if (this.refusals.add(refusal, place)) this.#options.onRefusal(refusal, place);
  }
}
