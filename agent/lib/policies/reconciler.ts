/**
 * Compares what the sources of policies want with what is loaded, and changes the tracer until both agree. A name
 * belongs to the claim that had it first. What failed is tried again: at once when a name becomes free, else after a
 * time that doubles.
 */
import { PolytraceError, type ChangeWay, type Tracer } from 'polytrace';
import type { Log } from '../log/log.js';
import { policyKey, type Claim, type LoadedVersion } from './claim.js';
import type { Journal } from './journal.js';
import { WorkQueue } from './work-queue.js';

export type PolicyTracer = Pick<
  Tracer,
  | 'addPolicy'
  | 'removePolicy'
  | 'replacePolicy'
  | 'enablePolicy'
  | 'disablePolicy'
  | 'setPolicyMode'
  | 'setNodeLabels'
  | 'policies'
>;

/** The policy is loaded already. */
export class PolicyExists extends Error {}

const RETRY_MS_MIN = 2000;
const RETRY_MS_MAX = 300_000;

const MESSAGES = {
  policy_add: 'a policy was loaded',
  policy_replace: 'a policy was replaced',
  policy_move: 'another source has the policy now',
} as const;

const WAYS = { file: 'file', cluster: 'kubernetes', fleet: 'fleet', client: 'restore' } as const;

function changeOrigin({ kind, sourceName }: Claim): { readonly file: string; readonly way: ChangeWay } {
  return { file: sourceName, way: WAYS[kind] };
}

export class Reconciler {
  readonly queue = new WorkQueue();
  readonly #tracer: PolicyTracer;
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #onSettled: () => void;
  readonly #claims = new Set<Claim>();
  readonly #dirty = new Set<Claim>();
  /** The loaded policies by their names. */
  readonly #holders = new Map<string, Claim>();
  /** The loaded texts by their names. */
  readonly #texts = new Map<string, string>();
  /** Loaded policies that no claim wants. */
  readonly #unwanted = new Map<string, Claim>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #generation = 0;

  /** `onSettled`: changes were tried. */
  constructor(tracer: PolicyTracer, log: Log, journal: Journal, onSettled: () => void) {
    this.#tracer = tracer;
    this.#log = log;
    this.#journal = journal;
    this.#onSettled = onSettled;
  }

  /** All claims, the oldest first. */
  get claims(): ReadonlySet<Claim> {
    return this.#claims;
  }

  /** Counts the changes of what is loaded. */
  get generation(): number {
    return this.#generation;
  }

  findHolder(key: string): Claim | undefined {
    return this.#holders.get(key);
  }

  /** Adds a claim, or looks at a claim again. Nothing changes before `settle`. */
  touch(claim: Claim): void {
    this.#claims.add(claim);
    this.#dirty.add(claim);
  }

  /** Looks again at all claims that failed, or only at those whose time has come. */
  touchFailed(now = Infinity): void {
    for (const claim of this.#claims) if ((claim.retryAt ?? Infinity) <= now) this.#dirty.add(claim);
  }

  /** Resolves when every change was tried. Requests of clients come between the changes. */
  async settle(): Promise<void> {
    while (this.#running !== undefined || (this.#dirty.size > 0 && !this.#isStopped)) {
      this.#running ??= this.#run().finally(() => (this.#running = undefined));
      await this.#running;
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    // claims that go come last, because another claim may take over their policies without a gap
    for (const isGone of [false, true]) {
      for (const claim of this.#dirty) {
        if (this.#isStopped) return;
        if (claim.isGone === isGone) await this.queue.runInBackground(() => this.#settleClaim(claim));
      }
    }
    for (const [key, claim] of this.#unwanted) await this.queue.runInBackground(() => this.#unload(key, claim));
    this.#scheduleRetry();
    this.#onSettled();
  }

  async #settleClaim(claim: Claim): Promise<void> {
    this.#dirty.delete(claim);
    if (!this.#claims.has(claim)) return;
    if (claim.isGone) {
      if (claim.loaded === undefined) this.#claims.delete(claim);
      else this.#unwanted.set(claim.loaded.key, claim);
      return;
    }
    if (claim.loaded !== undefined) this.#unwanted.delete(claim.loaded.key);
    if (claim.isSettled) return this.#recordSuccess(claim);
    try {
      const { operation, before } = await this.load(claim);
      const { key: policy = '', text: after } = claim.loaded ?? {};
      this.#journal.recordPolicy(MESSAGES[operation], { operation, policy, before, after, ...changeOrigin(claim) });
    } catch (error) {
      this.#recordFailure(claim, error);
    }
  }

  /**
   * Loads the wanted version. It takes the place of the loaded one without a gap. Rejects with PolicyExists, PolicyError
   * or KernelError; then the earlier version stays. Resolves with what was done, and the text that was loaded before.
   */
  async load(
    claim: Claim,
  ): Promise<{ readonly operation: keyof typeof MESSAGES; readonly before: string | undefined }> {
    const policy = claim.parse();
    const { name, namespace = '', annotations } = policy;
    const key = policyKey(name, namespace);
    const holder = this.#holders.get(key);
    if (holder !== undefined && holder !== claim && !holder.isReleasing(key)) {
      throw new PolicyExists(`the policy ${key} is loaded already, from ${holder.sourceName}`);
    }
    const text = String(claim.wanted);
    const before = this.#texts.get(key);
    const { wantedMode } = claim;
    const isMove =
      holder !== undefined &&
      holder !== claim &&
      holder.loaded?.key === key &&
      holder.loaded.text === text &&
      holder.loaded.wantedMode === wantedMode;
    if (isMove) {
      claim.isEnabled = holder.isEnabled;
      claim.mode = holder.mode;
    } else {
      const mode = claim.mode ?? wantedMode;
      const options = mode === undefined ? {} : { mode };
      if (holder === undefined) await this.#tracer.addPolicy(policy, options);
      else await this.#tracer.replacePolicy(policy, options);
    }
    this.#recordLoaded(claim, { key, name, namespace, text, wantedMode, annotations }, holder);
    const operation = isMove ? 'policy_move' : holder ? 'policy_replace' : 'policy_add';
    if (!claim.isEnabled && !isMove) await this.#tracer.disablePolicy(key);
    return { operation, before };
  }

  #recordLoaded(claim: Claim, version: LoadedVersion, holder: Claim | undefined): void {
    const { key } = version;
    if (holder !== undefined && holder !== claim && holder.loaded?.key === key) {
      holder.loaded = undefined;
      if (holder.isGone) this.#claims.delete(holder);
      else this.touch(holder);
    }
    // the policy has another name now
    if (claim.loaded !== undefined && claim.loaded.key !== key) this.#unwanted.set(claim.loaded.key, claim);
    this.#generation += 1;
    this.#unwanted.delete(key);
    this.#holders.set(key, claim);
    this.#texts.set(key, version.text);
    claim.loaded = version;
    claim.attachError = undefined;
    this.#recordSuccess(claim);
  }

  #recordSuccess(claim: Claim): void {
    claim.error = undefined;
    claim.awaitedKey = undefined;
    claim.retryAt = undefined;
    claim.retryMs = 0;
  }

  /** An error is in the log once. An error of the text or the source lasts until they change. */
  #recordFailure(claim: Claim, error: unknown): void {
    const reason = claim.describe(error);
    if (reason !== claim.error) {
      const message = claim.kind === 'client' ? 'a policy of a client was not loaded' : 'a policy file was not loaded';
      this.#log.error({ ...(claim.kind !== 'client' && { file: claim.origin }), reason }, message);
    }
    claim.error = reason;
    claim.isForbidden = error instanceof PolytraceError && error.code === 'ENFORCEMENT_NOT_ALLOWED';
    claim.awaitedKey = error instanceof PolicyExists ? claim.wantedKey : undefined;
    const canRetry = claim.wantedKey !== undefined && claim.awaitedKey === undefined;
    claim.retryMs = canRetry ? Math.min(Math.max(claim.retryMs * 2, RETRY_MS_MIN), RETRY_MS_MAX) : 0;
    claim.retryAt = canRetry ? performance.now() + claim.retryMs : undefined;
  }

  /** Removes a policy that nobody wants, or gives it to the first claim that waits for its name. */
  async #unload(key: string, claim: Claim): Promise<void> {
    if (this.#unwanted.get(key) !== claim) return;
    const next = [...this.#claims].find(({ awaitedKey, isGone }) => awaitedKey === key && !isGone);
    if (next !== undefined) await this.#settleClaim(next);
    if (this.#holders.get(key) !== claim) return;
    try {
      await this.#tracer.removePolicy(key);
    } catch (error) {
      this.#recordFailure(claim, error);
      return;
    }
    const before = this.#texts.get(key);
    this.forget(key, claim);
    const change = { operation: 'policy_remove', policy: key, before } as const;
    this.#journal.recordPolicy('a policy was removed', { ...change, ...changeOrigin(claim) });
  }

  /** Records that the policy is not loaded any more. A claim that waits for its name is tried next. */
  forget(key: string, claim: Claim): void {
    this.#generation += 1;
    this.#unwanted.delete(key);
    this.#holders.delete(key);
    this.#texts.delete(key);
    if (claim.loaded?.key === key) claim.loaded = undefined;
    if (claim.isGone && claim.loaded === undefined) this.#claims.delete(claim);
    for (const each of this.#claims) if (each.awaitedKey === key) this.#dirty.add(each);
  }

  #scheduleRetry(): void {
    clearTimeout(this.#timer);
    const times = [...this.#claims].flatMap(({ retryAt }) => retryAt ?? []);
    if (times.length === 0) return;
    const wait = Math.max(Math.ceil(Math.min(...times) - performance.now()), 1);
    this.#timer = setTimeout(() => {
      this.touchFailed(performance.now());
      // a timer may fire a little early
      if (this.#dirty.size === 0) this.#scheduleRetry();
      else void this.settle();
    }, wait);
    this.#timer.unref();
  }
}
