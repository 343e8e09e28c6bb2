/**
 * The policies of files, of the cluster and of clients, with their errors. Sources say what they want, and the
 * reconciler loads it. The tracer knows only loaded policies, and the store also the others.
 */
import { createHash } from 'node:crypto';
import type { PolicyMode, PolicyStatus } from 'polytrace';
import type { Log } from '../log/log.js';
import { policyKey, type Claim, type SourceKind } from './claim.js';
import { Claims } from './claims.js';
import { ClientChanges, UnknownPolicy, type AddOptions, type PolicySettings } from './client-changes.js';
import type { ClientPolicies } from './client-policies.js';
import { formatError } from './format-error.js';
import { hashText, Journal, type Caller } from './journal.js';
import type { FileSnapshot } from './policy-files.js';
import { Reconciler, type PolicyTracer } from './reconciler.js';

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

export class PolicyStore {
  readonly #tracer: PolicyTracer;
  readonly #log: Log;
  readonly #reconciler: Reconciler;
  readonly #clients: ClientChanges;
  readonly #claims = new Claims();
  readonly #journal: Journal;
  /** The entries that were listed last. */
  readonly #entries = new WeakMap<Claim, PolicyEntry>();
  /** Files and folders that cannot be read, with the reasons. */
  #problems: FileSnapshot['problems'] = new Map();
  #recordProblems: FileSnapshot['problems'] = new Map();
  #isDegraded = false;
  #onSettled: () => void = () => undefined;
  /** The hash of the labels of the node, after they have changed once. */
  #nodeLabels: string | undefined;

  /** `records`: where the policies of clients outlive the agent. */
  constructor(tracer: PolicyTracer, log: Log, records?: ClientPolicies, journal = new Journal(log)) {
    this.#tracer = tracer;
    this.#log = log;
    this.#journal = journal;
    this.#reconciler = new Reconciler(tracer, log, journal, () => {
      this.#reportState();
      this.#onSettled();
    });
    const parts = { tracer, reconciler: this.#reconciler, claims: this.#claims };
    this.#clients = new ClientChanges({ ...parts, journal, records });
  }

  /**
   * Returns all policies, and all files and folders with errors, oldest first. The entry of a policy is the same object as
   * long as nothing has changed.
   */
  list(): PolicyEntry[] {
    const statuses = new Map<string, PolicyStatus>();
    for (const status of this.#tracer.policies()) statuses.set(status.name, status);
    const policies = Array.from(this.#reconciler.claims, (claim) => {
      return this.#updateEntry(claim, claim.loaded && statuses.get(claim.loaded.key));
    });
    const paths = [...this.#problems].map(([file, { message: error }]): PolicyEntry => {
      return { id: pathId(file), name: '', namespace: '', file, status: undefined, error };
    });
    return [...policies, ...paths];
  }

  #updateEntry(claim: Claim, status: PolicyStatus | undefined): PolicyEntry {
    const { id, kind, origin, names, problem: error } = claim;
    const { name, namespace } = names;
    const known = this.#entries.get(claim);
    const isSame = known?.status === status && known?.error === error;
    if (isSame && known?.name === name && known.namespace === namespace) return known;
    const entry = { id, name, namespace, file: kind === 'client' ? undefined : origin, status, error };
    this.#entries.set(claim, entry);
    return entry;
  }

  /** Counts the changes of what `findAnnotations` returns. */
  get generation(): number {
    return this.#reconciler.generation;
  }

  /** Returns the annotations of the loaded policies with this name, of all namespaces. */
  findAnnotations(name: string): Readonly<Record<string, string>>[] {
    return Array.from(this.#reconciler.claims, ({ loaded }) => {
      return loaded?.name === name ? (loaded.annotations ?? {}) : undefined;
    }).filter((each) => each !== undefined);
  }

  /** Number of policies and files with an error. */
  get failedCount(): number {
    let count = 0;
    for (const { problem } of this.#reconciler.claims) if (problem !== undefined) count++;
    return count;
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
  add(yaml: string, options: AddOptions = {}): Promise<PolicyEntry> {
    return this.#runForClient(async () => this.#getEntry(await this.#clients.add(yaml, options)));
  }

  /** Rejects with UnknownPolicy, PolicyHeld or KernelError. */
  remove(key: string, by?: Caller): Promise<void> {
    return this.#runForClient(() => this.#clients.remove(key, by));
  }

  /** Changes only the members that are given. Rejects with UnknownPolicy, PolytraceError or KernelError. */
  configure(key: string, settings: PolicySettings, by?: Caller): Promise<void> {
    return this.#runForClient(() => this.#clients.configure(key, settings, by));
  }

  /**
   * Loads the policies that clients of earlier agents have added. They come first, because they had their names before
   * files that came later.
   */
  async restore(): Promise<void> {
    this.#recordProblems = await this.#clients.restore();
    await this.#reconciler.settle();
    this.#setProblems(new Map());
  }

  /**
   * Sets what the files want. A changed file replaces its policy without a gap. If a file has errors, its earlier policy
   * stays. Never rejects for a file. Resolves when all changes were tried.
   */
  setFiles({ files, problems }: FileSnapshot): Promise<void> {
    this.#setProblems(problems);
    for (const [file, text] of files) this.#want('file', file, text);
    for (const claim of this.#claims.listFiles()) if (!files.has(claim.origin)) this.#drop(claim);
    return this.#reconciler.settle();
  }

  /** True if a policy of this name is in the kernel. */
  isLoaded(key: string): boolean {
    return this.#reconciler.findHolder(key) !== undefined;
  }

  /**
   * True if a source wants a policy of this name, and no version of it can be loaded now. A source whose text cannot be
   * read or parsed may want any name. `key` is undefined if the name is not known.
   */
  isMissing(key: string | undefined): boolean {
    if (key !== undefined && this.isLoaded(key)) return false;
    if (this.#recordProblems.size > 0) return true;
    return [...this.#reconciler.claims].some(({ isGone, isForbidden, error, loaded, wantedKey }) => {
      if (isGone || isForbidden || error === undefined || loaded !== undefined) return false;
      return key === undefined || wantedKey === undefined || wantedKey === key;
    });
  }

  /** Calls this whenever changes of policies were tried. */
  onSettled(run: () => void): void {
    this.#onSettled = run;
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

  /**
   * Loads a version of a policy of the fleet, or replaces the one before without a gap. `fileName` is for messages. Never
   * rejects for a policy: `fleetPolicy` has the error.
   */
  setFleetPolicy(origin: string, text: string, fileName: string, mode: PolicyMode | undefined): Promise<void> {
    this.#want('fleet', origin, text, { fileName, wantedMode: mode });
    return this.#reconciler.settle();
  }

  /** Removes a policy of the fleet. */
  dropFleetPolicy(origin: string): Promise<void> {
    const claim = this.#claims.find('fleet', origin);
    if (claim !== undefined) this.#drop(claim);
    return this.#reconciler.settle();
  }

  /** Returns the state of a policy of the fleet. Undefined: the fleet does not want it. */
  fleetPolicy(
    origin: string,
  ): { readonly status: PolicyStatus | undefined; readonly error: string | undefined } | undefined {
    const claim = this.#claims.find('fleet', origin);
    if (claim === undefined) return undefined;
    const key = claim.loaded?.key;
    const status = key === undefined ? undefined : this.#tracer.policies().find(({ name }) => name === key);
    return { status, error: claim.problem };
  }

  /** Attaches or detaches policies after a change of the node's labels. Rejects with KernelError. */
  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<void> {
    return this.#reconciler.queue.runInBackground(async () => {
      const [before, after] = [this.#nodeLabels, hashText(JSON.stringify(labels))];
      this.#nodeLabels = after;
      const setting = {
        operation: 'setting_change',
        setting: 'node-labels',
        before,
        after,
        way: 'kubernetes',
      } as const;
      this.#journal.recordSetting('the labels of the node changed', setting);
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
    const claim = this.#claims.find('cluster', origin);
    if (claim !== undefined) this.#drop(claim);
    return this.#reconciler.settle();
  }

  /** Returns the tracer's status of the policy of a resource. */
  policyStatus(origin: string): PolicyStatus | undefined {
    const key = this.#claims.find('cluster', origin)?.loaded?.key;
    return key === undefined ? undefined : this.#tracer.policies().find(({ name }) => name === key);
  }

  /** Returns the error of the policy of a resource, or undefined. */
  policyError(origin: string): string | undefined {
    return this.#claims.find('cluster', origin)?.problem;
  }

  /** No policy is loaded or removed after this. */
  stop(): void {
    this.#reconciler.stop();
  }

  #want(
    kind: SourceKind,
    origin: string,
    wanted: string | Error,
    more: Pick<Claim, 'fileName' | 'wantedMode'> = { fileName: undefined, wantedMode: undefined },
  ): Claim {
    let claim = this.#claims.find(kind, origin);
    if (claim === undefined) {
      claim = Object.assign(this.#claims.create(kind, origin, wanted), more);
      this.#claims.insert(origin, claim);
      this.#reconciler.touch(claim);
      return claim;
    }
    if (String(claim.wanted) === String(wanted) && claim.wantedMode === more.wantedMode) return claim;
    claim.wanted = wanted;
    Object.assign(claim, more);
    // a new version is enabled, even if a client has disabled the earlier one
    if (wanted !== claim.loaded?.text && !(wanted instanceof Error))
      Object.assign(claim, { isEnabled: true, mode: undefined });
    this.#reconciler.touch(claim);
    return claim;
  }

  #drop(claim: Claim): void {
    claim.isGone = true;
    this.#claims.delete(claim.kind, claim.origin);
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

  #getEntry(key: string): PolicyEntry {
    const entry = this.list().find(({ name, namespace }) => policyKey(name, namespace) === key);
    if (entry === undefined) throw new UnknownPolicy(`there is no policy ${key}`);
    return entry;
  }
}

/** Returns the same id for the same path, outside of the ids of policies. */
function pathId(path: string): number {
  return 2 ** 32 + createHash('sha256').update(path).digest().readUInt32LE();
}
