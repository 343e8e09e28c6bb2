/** Changes that clients ask for. They run before the changes that wait, and clients' policies can outlive the agent. */
import type { PolicyMode } from 'polytrace';
import type { ClientPolicies } from './client-policies.js';
import { policyKey, type Claim } from './claim.js';
import type { Claims } from './claims.js';
import type { Caller, Journal } from './journal.js';
import { PolicyExists, type PolicyTracer, type Reconciler } from './reconciler.js';

export interface AddOptions {
  readonly replace?: boolean;
  readonly mode?: PolicyMode | undefined;
  readonly by?: Caller | undefined;
}

export interface PolicySettings {
  readonly enable?: boolean | undefined;
  readonly mode?: PolicyMode | undefined;
}

/** The policy does not exist. */
export class UnknownPolicy extends Error {}

/** Only the source of the policy can remove it. */
export class PolicyHeld extends Error {}

interface Parts {
  readonly tracer: PolicyTracer;
  readonly reconciler: Reconciler;
  readonly claims: Claims;
  readonly journal: Journal;
  readonly records: ClientPolicies | undefined;
}

export class ClientChanges {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Returns the name of the policy. */
  async add(yaml: string, { replace = false, mode, by }: AddOptions): Promise<string> {
    const { reconciler, claims, journal } = this.#parts;
    const claim = claims.create('client', '', yaml);
    const { name, namespace = '' } = claim.parse();
    const key = policyKey(name, namespace);
    const holder = reconciler.findHolder(key);
    const change = { policy: key, after: yaml, way: 'client', by, mode } as const;
    if (replace) {
      if (holder === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
      if (holder.kind !== 'client') throw new PolicyExists(`the policy ${key} comes from ${holder.origin}`);
      const before = holder.loaded?.text;
      await this.#replace(holder, yaml, mode);
      journal.recordPolicy('a client replaced a policy', { operation: 'policy_replace', before, ...change });
      return key;
    }
    const other = holder ?? claims.find('client', key);
    if (other?.isReleasing(key) === false || other?.kind === 'client') {
      throw new PolicyExists(`the policy ${key} is loaded already, from ${other.sourceName}`);
    }
    claim.mode = mode;
    const before = holder?.loaded?.text;
    await this.#loadWithRecord(claim);
    claims.insert(key, claim);
    reconciler.touch(claim);
    const operation = before === undefined ? 'policy_add' : 'policy_replace';
    journal.recordPolicy('a client added a policy', { operation, before, ...change });
    return key;
  }

  /** The earlier version stays if this rejects. */
  async #replace(claim: Claim, yaml: string, mode: PolicyMode | undefined): Promise<void> {
    const { wanted, isEnabled, mode: earlier } = claim;
    Object.assign(claim, { wanted: yaml, isEnabled: true, mode });
    try {
      await this.#loadWithRecord(claim);
    } catch (error) {
      Object.assign(claim, { wanted, isEnabled, mode: earlier });
      await this.#save(claim);
      throw error;
    }
  }

  /** Nothing is loaded that would be forgotten when the agent ends. */
  async #loadWithRecord(claim: Claim): Promise<void> {
    await this.#save(claim);
    try {
      await this.#parts.reconciler.load(claim);
    } catch (error) {
      if (claim.wantedKey !== undefined) await this.#parts.records?.remove(claim.wantedKey);
      throw error;
    }
  }

  async #save(claim: Claim): Promise<void> {
    const { name, namespace = '' } = claim.parse();
    const { wanted, isEnabled: enabled, mode } = claim;
    await this.#parts.records?.save({ name, namespace, yaml: String(wanted), enabled, mode });
  }

  /** Wants the policies that clients of earlier agents have added. Returns the files that cannot be read. */
  async restore(): Promise<ReadonlyMap<string, Error>> {
    const { records, claims, reconciler } = this.#parts;
    if (records === undefined) return new Map();
    const { policies, problems } = await records.load();
    for (const { name, namespace, yaml, enabled, mode } of policies) {
      const claim = claims.create('client', '', yaml);
      Object.assign(claim, { isEnabled: enabled, mode });
      claims.insert(policyKey(name, namespace), claim);
      reconciler.touch(claim);
    }
    return problems;
  }

  async remove(key: string, by: Caller | undefined): Promise<void> {
    const { tracer, claims, reconciler, records, journal } = this.#parts;
    // a policy that was restored may have failed
    const claim = claims.find('client', key) ?? this.#getHolder(key);
    if (claim.kind !== 'client') {
      throw new PolicyHeld(`the policy ${key} comes from ${claim.origin}: remove it there, or disable the policy`);
    }
    await records?.remove(key);
    const before = claim.loaded?.text;
    try {
      if (claim.loaded !== undefined) await tracer.removePolicy(key);
    } catch (error) {
      await this.#save(claim);
      throw error;
    }
    claim.isGone = true;
    claims.delete('client', key);
    reconciler.forget(key, claim);
    const change = { operation: 'policy_remove', policy: key, before, way: 'client', by } as const;
    journal.recordPolicy('a client removed a policy', change);
  }

  async configure(key: string, { enable, mode }: PolicySettings, by: Caller | undefined): Promise<void> {
    const { tracer, journal } = this.#parts;
    const claim = this.#getHolder(key);
    const text = claim.loaded?.text;
    const record = (settings: PolicySettings): void => {
      journal.recordPolicy('a client changed a policy', {
        operation: 'policy_configure',
        policy: key,
        before: text,
        after: text,
        way: 'client',
        by,
        ...settings,
      });
    };
    if (mode !== undefined) {
      await tracer.setPolicyMode(key, mode);
      claim.mode = mode;
      record({ mode });
    }
    if (enable !== undefined) {
      const state = tracer.policies().find(({ name }) => name === key)?.state;
      if (enable && state !== 'enabled') {
        await tracer.enablePolicy(key);
        claim.attachError = undefined;
      }
      if (!enable && state !== 'disabled') await tracer.disablePolicy(key);
      claim.isEnabled = enable;
      record({ enable });
    }
    if (claim.kind === 'client') await this.#save(claim);
  }

  /** Returns the claim that holds a name. */
  #getHolder(key: string): Claim {
    const claim = this.#parts.reconciler.findHolder(key);
    if (claim === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return claim;
  }
}
