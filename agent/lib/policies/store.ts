/**
 * The policies of files, of the cluster and of clients, with their errors. Sources say what they want, and the
 * reconciler loads it. The tracer knows only loaded policies, and the store also the others.
 */
import { createHash } from 'node:crypto';
import type { PolicyMode, PolicyStatus } from 'polytrace';
import type { Log } from '../log/log.js';
import type { ClientPolicies } from './client-policies.js';
import { Claim, policyKey, type SourceKind } from './claim.js';
import { formatError } from './format-error.js';
import type { FileSnapshot } from './policy-files.js';
import { PolicyExists, Reconciler, type PolicyTracer } from './reconciler.js';

/** A policy with a name, or a file or folder that could not be read. */
export interface PolicyEntry {
  readonly id: number;
  /** `metadata.name`; empty if the file is not a policy. */
  readonly name: string;
  /** Empty for a policy without a namespace. */
  readonly namespace: string;
  /** The file of the policy. Undefined for a policy that a client added. */
  readonly file: string | undefined;
  /** The tracer's status. Undefined when the policy is not loaded. */
  readonly status: PolicyStatus | undefined;
  /** The reason why the policy, or a newer version of its file, is not loaded. */
  readonly error: string | undefined;
}

interface AddOptions {
  readonly replace?: boolean;
  readonly mode?: PolicyMode | undefined;
}

/** The policy does not exist. */
export class UnknownPolicy extends Error {}

/** Only the source of the policy can remove it. */
export class PolicyHeld extends Error {}

export class PolicyStore {
  readonly #tracer: PolicyTracer;
  readonly #log: Log;
  readonly #reconciler: Reconciler;
  readonly #records: ClientPolicies | undefined;
  readonly #claims = new Map<string, Claim>();
  /** Files and folders that cannot be read, with the reasons. */
  #problems: FileSnapshot['problems'] = new Map();
  #recordProblems: FileSnapshot['problems'] = new Map();
  #nextId = 1;
  #isDegraded = false;

  /** `records`: where the policies of clients outlive the agent. */
  constructor(tracer: PolicyTracer, log: Log, records?: ClientPolicies) {
    this.#records = records;
    this.#tracer = tracer;
    this.#log = log;
    this.#reconciler = new Reconciler(tracer, log, () => this.#reportState());
  }

  /** Returns all policies, and all files and folders with errors, oldest first. */
  list(): PolicyEntry[] {
    const statuses = new Map(this.#tracer.policies().map((status) => [status.name, status]));
    const policies = [...this.#reconciler.claims].map((claim): PolicyEntry => {
      const { id, kind, origin, names, loaded, problem: error } = claim;
      const { name, namespace } = names;
      const status = loaded && statuses.get(loaded.key);
      return { id, name, namespace, file: kind === 'client' ? undefined : origin, status, error };
    });
    const paths = [...this.#problems].map(([file, { message: error }]): PolicyEntry => {
      return { id: pathId(file), name: '', namespace: '', file, status: undefined, error };
    });
    return [...policies, ...paths];
  }

  /** Number of policies and files with an error. */
  get failedCount(): number {
    return [...this.#reconciler.claims].filter(({ problem }) => problem !== undefined).length;
  }

  /** Number of files and folders of the configuration that cannot be read. */
  get unreadableCount(): number {
    return this.#problems.size;
  }

  /** True when something else is loaded than what the sources want. */
  get isDegraded(): boolean {
    return this.failedCount + this.unreadableCount > 0;
  }

  /**
   * Adds the policy of a client. With `replace`, it takes the place of the client's policy of that name without a gap.
   * Rejects with PolicyExists, UnknownPolicy, PolicyError or KernelError.
   */
  add(yaml: string, { replace = false, mode }: AddOptions = {}): Promise<PolicyEntry> {
    return this.#runForClient(async () => {
      const claim = new Claim(this.#nextId, 'client', '', yaml);
      const { name, namespace = '' } = claim.parse();
      const key = policyKey(name, namespace);
      const holder = this.#reconciler.findHolder(key);
      if (replace) {
        if (holder === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
        if (holder.kind !== 'client') throw new PolicyExists(`the policy ${key} comes from ${holder.origin}`);
        await this.#replace(holder, yaml, mode);
      } else {
        const other = holder ?? this.#claims.get(claimKey('client', key));
        if (other?.isReleasing(key) === false || other?.kind === 'client') {
          throw new PolicyExists(`the policy ${key} is loaded already, from ${other.sourceName}`);
        }
        claim.mode = mode;
        await this.#loadWithRecord(claim);
        this.#nextId++;
        this.#claims.set(claimKey('client', key), claim);
        this.#reconciler.touch(claim);
      }
      this.#log.info({ policy: key }, replace ? 'a client replaced a policy' : 'a client added a policy');
      return this.#getEntry(key);
    });
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
      await this.#reconciler.load(claim);
    } catch (error) {
      if (claim.wantedKey !== undefined) await this.#records?.remove(claim.wantedKey);
      throw error;
    }
  }

  async #save(claim: Claim): Promise<void> {
    const { name, namespace = '' } = claim.parse();
    const { wanted, isEnabled: enabled, mode } = claim;
    await this.#records?.save({ name, namespace, yaml: String(wanted), enabled, mode });
  }

  /**
   * Loads the policies that clients of earlier agents have added. They come first, because they had their names before
   * files that came later.
   */
  async restore(): Promise<void> {
    if (this.#records === undefined) return;
    const { policies, problems } = await this.#records.load();
    for (const { name, namespace, yaml, enabled, mode } of policies) {
      const claim = new Claim(this.#nextId++, 'client', '', yaml);
      Object.assign(claim, { isEnabled: enabled, mode });
      this.#claims.set(claimKey('client', policyKey(name, namespace)), claim);
      this.#reconciler.touch(claim);
    }
    await this.#reconciler.settle();
    this.#recordProblems = problems;
    this.#setProblems(new Map());
  }

  /** Rejects with UnknownPolicy, PolicyHeld or KernelError. */
  remove(key: string): Promise<void> {
    return this.#runForClient(async () => {
      // a policy that was restored may have failed
      const claim = this.#claims.get(claimKey('client', key)) ?? this.#getHolder(key);
      if (claim.kind !== 'client') {
        throw new PolicyHeld(`the policy ${key} comes from ${claim.origin}: remove it there, or disable the policy`);
      }
      await this.#records?.remove(key);
      try {
        if (claim.loaded !== undefined) await this.#tracer.removePolicy(key);
      } catch (error) {
        await this.#save(claim);
        throw error;
      }
      claim.isGone = true;
      this.#claims.delete(claimKey('client', key));
      this.#reconciler.forget(key, claim);
      this.#log.info({ policy: key }, 'a client removed a policy');
    });
  }

  /** Changes only the members that are given. Rejects with UnknownPolicy, PolytraceError or KernelError. */
  configure(
    key: string,
    { enable, mode }: { enable?: boolean | undefined; mode?: PolicyMode | undefined },
  ): Promise<void> {
    return this.#runForClient(async () => {
      const claim = this.#getHolder(key);
      if (mode !== undefined) {
        await this.#tracer.setPolicyMode(key, mode);
        claim.mode = mode;
      }
      if (enable !== undefined) {
        const state = this.#tracer.policies().find(({ name }) => name === key)?.state;
        if (enable && state !== 'enabled') {
          await this.#tracer.enablePolicy(key);
          claim.attachError = undefined;
        }
        if (!enable && state !== 'disabled') await this.#tracer.disablePolicy(key);
        claim.isEnabled = enable;
      }
      if (claim.kind === 'client') await this.#save(claim);
      this.#log.info({ policy: key, enable, mode }, 'a client changed a policy');
    });
  }

  /**
   * Sets what the files want. A changed file replaces its policy without a gap. If a file has errors, its earlier policy
   * stays. Never rejects for a file. Resolves when all changes were tried.
   */
  setFiles({ files, problems }: FileSnapshot): Promise<void> {
    this.#setProblems(problems);
    for (const [file, text] of files) this.#want('file', file, text);
    for (const claim of this.#claims.values()) {
      if (claim.kind === 'file' && !files.has(claim.origin)) this.#drop(claim);
    }
    return this.#reconciler.settle();
  }

  /** Tries again what failed, without waiting for its time. */
  retry(): Promise<void> {
    this.#reconciler.touchFailed();
    return this.#reconciler.settle();
  }

  /**
   * Loads the policy of a cluster resource, or replaces it without a gap. Resolves with the error, if there is one;
   * then the earlier policy stays. `describe` formats an error.
   */
  async setPolicy(
    origin: string,
    text: string | Error,
    describe: (error: unknown) => string,
  ): Promise<string | undefined> {
    const claim = this.#want('cluster', origin, text);
    claim.describe = describe;
    await this.#reconciler.settle();
    return claim.error;
  }

  /** Attaches or detaches policies after a change of the node's labels. Rejects with KernelError. */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#reconciler.queue.runInBackground(async () => {
      const failures = new Map((await this.#tracer.setNodeLabels(labels)).map(({ name, error }) => [name, error]));
      for (const claim of this.#reconciler.claims) {
        const policy = claim.loaded?.key;
        if (policy === undefined) continue;
        const error = failures.get(policy);
        claim.attachError = error && formatError(error);
        if (error !== undefined) this.#log.error({ policy, reason: claim.attachError }, 'a policy was not attached');
      }
      this.#reportState();
    });
  }

  /** Removes the policy of a cluster resource. */
  dropPolicy(origin: string): Promise<void> {
    const claim = this.#claims.get(claimKey('cluster', origin));
    if (claim !== undefined) this.#drop(claim);
    return this.#reconciler.settle();
  }

  /** Returns the tracer's status of the policy of a resource. */
  policyStatus(origin: string): PolicyStatus | undefined {
    const key = this.#claims.get(claimKey('cluster', origin))?.loaded?.key;
    return key === undefined ? undefined : this.#tracer.policies().find(({ name }) => name === key);
  }

  /** Returns the error of the policy of a resource, or undefined. */
  policyError(origin: string): string | undefined {
    return this.#claims.get(claimKey('cluster', origin))?.problem;
  }

  /** No policy is loaded or removed after this. */
  stop(): void {
    this.#reconciler.stop();
  }

  #want(kind: SourceKind, origin: string, wanted: string | Error): Claim {
    const key = claimKey(kind, origin);
    let claim = this.#claims.get(key);
    if (claim === undefined) {
      claim = new Claim(this.#nextId++, kind, origin, wanted);
      this.#claims.set(key, claim);
      this.#reconciler.touch(claim);
      return claim;
    }
    if (String(claim.wanted) === String(wanted)) return claim;
    claim.wanted = wanted;
    // a new version is enabled, even if a client has disabled the earlier one
    if (wanted !== claim.loaded?.text && !(wanted instanceof Error))
      Object.assign(claim, { isEnabled: true, mode: undefined });
    this.#reconciler.touch(claim);
    return claim;
  }

  #drop(claim: Claim): void {
    claim.isGone = true;
    this.#claims.delete(claimKey(claim.kind, claim.origin));
    this.#reconciler.touch(claim);
  }

  /** Runs a request of a client before the changes that wait, and then what it has made possible. */
  async #runForClient<T>(run: () => Promise<T>): Promise<T> {
    const result = await this.#reconciler.queue.runUrgent(run);
    void this.#reconciler.settle();
    return result;
  }

  #setProblems(found: FileSnapshot['problems']): void {
    const problems = new Map([...this.#recordProblems, ...found]);
    for (const [path, { message: reason }] of problems) {
      if (this.#problems.get(path)?.message !== reason) {
        this.#log.error({ path, reason }, 'policies cannot be read: they stay as they are');
      }
    }
    this.#problems = problems;
    this.#reportState();
  }

  #reportState(): void {
    const { isDegraded, failedCount: failed, unreadableCount: unreadable } = this;
    if (isDegraded === this.#isDegraded) return;
    this.#isDegraded = isDegraded;
    if (isDegraded) this.#log.warn({ failed, unreadable }, 'the state is degraded: not all policies are as wanted');
    else this.#log.info('the state is good again: all policies are as wanted');
  }

  /** Returns the claim that holds a name. */
  #getHolder(key: string): Claim {
    const claim = this.#reconciler.findHolder(key);
    if (claim === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return claim;
  }

  #getEntry(key: string): PolicyEntry {
    const entry = this.list().find(({ name, namespace }) => policyKey(name, namespace) === key);
    if (entry === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return entry;
  }
}

function claimKey(kind: SourceKind, origin: string): string {
  return `${kind}:${origin}`;
}

/** Returns the same id for the same path, outside of the ids of policies. */
function pathId(path: string): number {
  return 2 ** 32 + createHash('sha256').update(path).digest().readUInt32LE();
}
