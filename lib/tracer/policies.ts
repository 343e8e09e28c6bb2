/**
 * Manages the policies of a tracer: loads them completely or not at all, lists, switches, replaces and removes them.
 */
import { makesRequests, tracks } from '../compiled/compiled-hook.js';
import type { KernelInfo } from '../../types/kernel.js';
import type { PolicyMode } from '../../types/policy.js';
import type {
  LoadOptions,
  PolicyFailure,
  PolicySource,
  PolicyStatus,
  RequestOptions,
  TracerOptions,
} from '../../types/tracer.js';
import { KernelError, PolytraceError } from '../errors.js';
import { runCooperatively, yieldToEventLoop, type Steps } from '../cooperative.js';
import { kernelDetail, withReason, type NativeError } from '../native/native-error.js';
import { loadKernelInfo, readAttachable } from '../native/btf.js';
import { limitReached } from '../native/limits.js';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { AbiLimit, SensorHook } from '../wire/layout.gen.js';
import { attachHook } from '../attach/attach.js';
import { newTally, type LoadedHook } from '../events/hook.js';
import type { AttachContext, Attached, AttachRequest } from '../attach/request.js';
import { checkModeCanChange, modeOf, type LoadedMode } from './modes.js';
import { isEnforcing, policyStatus, type AttachedPolicy, type LoadedPolicy } from './policy-status.js';
import { ProcessSets } from './process-sets.js';
import type { Scopes } from './scopes.js';
import { PolicyRequests, Requests } from '../events/requests.js';
import { nearestHint } from '../policy/index.js';
import { compileAll } from './sources.js';
import { targetsOf, type Target } from '../attach/targets.js';

/** A detached program may still be running on another CPU and write a record. It gets this time to end. */
const LINGER_MS = 100;

/** Options for the events of policies, and for their permissions. */
export interface PolicySetOptions {
  readonly enforcement: boolean;
  readonly stackAddresses: boolean;
  /** Undefined if requests are not allowed. */
  readonly allowRequests: RequestOptions | undefined;
}

const NAME_SEPARATOR = '\n';

/** Splits the name of a hook's pins into its parts. */
export function hookNames(name: string): { policyName: string; functionName: string } {
  const [policyName = '', functionName = ''] = name.split(NAME_SEPARATOR);
  return { policyName, functionName };
}

export class PolicySet {
  readonly #context: AttachContext;
  readonly #options: PolicySetOptions;
  readonly #processes: ProcessSets;
  readonly #scopes: Scopes;
  readonly #policies = new Map<string, LoadedPolicy>();
  /** Hooks by id. Hooks of removed policies stay until their last records have been read. */
  readonly #hooks = new Map<number, LoadedHook>();
  #retired: { readonly id: number; readonly since: number }[] = [];
  /** Parent of this process when its ancestors were protected; undefined as long as no policy acts on processes. */
  #parent: number | undefined;
  readonly #requests: Requests | undefined;
  /** Attached, but of no policy: detaching them has failed. */
  readonly #leftovers: AttachedPolicy[] = [];
  /** Number of attached policies that track sockets. */
  #tracking = 0;

  constructor(context: AttachContext, options: PolicySetOptions, scopes: Scopes) {
    this.#context = context;
    this.#scopes = scopes;
    this.#options = options;
    this.#processes = new ProcessSets(context.session);
    const { allowRequests } = options;
    this.#requests = allowRequests === undefined ? undefined : new Requests(allowRequests.nameServers);
  }

  get hooks(): ReadonlyMap<number, LoadedHook> {
    return this.#hooks;
  }

  /**
   * Must be called when the ring buffer is empty: then it contains no records of hooks that were removed a while ago.
   */
  onRingEmpty(): void {
    if (this.#parent !== undefined && this.#parent !== process.ppid) this.#protect().catch(warn);
    if (this.#retired.length === 0) return;
    const until = performance.now() - LINGER_MS;
    for (const { id, since } of this.#retired) if (since <= until) this.#hooks.delete(id);
    this.#retired = this.#retired.filter(({ since }) => since > until);
  }

  /** Reads the kernel's types on the session's thread. From then on the tracer holds them. */
  async #readTypes(): Promise<void> {
    // Without types, the first question about them fails and says why.
    const types = await this.#context.session.readTypes().catch(() => undefined);
    if (types !== undefined) loadKernelInfo();
  }

  async #compile(sources: readonly PolicySource[]): ReturnType<typeof compileAll> {
    if (sources.length > 0) await this.#readTypes();
    return compileAll(sources);
  }

  /** Adds all policies or none. */
  async add(
    sources: readonly PolicySource[],
    options: LoadOptions = {},
    onProgress?: TracerOptions['onProgress'],
  ): Promise<PolicyStatus[]> {
    const { images, kernel } = await this.#compile(sources);
    const names = new Set(this.#policies.keys());
    for (const { image } of images) {
      if (names.has(keyOf(image))) {
        throw new PolytraceError(
          'POLICY_EXISTS',
          `a policy with the name ${keyOf(image)} is already loaded`,
          'remove or replace that policy, or use another metadata.name',
        );
      }
      names.add(keyOf(image));
      this.#mayRun(image, modeOf(image, options));
    }
    const done: string[] = [];
    try {
      for (const { image, file, warnings } of images) {
        const mode = modeOf(image, options);
        const isElsewhere = !this.#scopes.isForThisNode(image);
        const attached = isElsewhere ? undefined : await this.#attachAll(image, mode, kernel());
        this.#policies.set(keyOf(image), { image, file, warnings, mode, isElsewhere, isEnabled: true, attached });
        done.push(keyOf(image));
        onProgress?.({ loaded: done.length, total: images.length });
      }
      return done.map((name) => this.#status(name));
    } catch (error) {
      for (const name of done) {
        const { attached } = this.#find(name);
        this.#policies.delete(name);
        await this.#undo(attached);
      }
      throw error;
    }
  }

  /** Attaches the new policies before the old ones are removed. If one fails, all old policies stay. */
  async replace(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    const { images, kernel } = await this.#compile([source]);
    for (const { image } of images) {
      this.#find(keyOf(image));
      this.#mayRun(image, modeOf(image, options));
    }
    const done: (() => Promise<void>)[] = [];
    const undo: (() => Promise<void>)[] = [];
    try {
      for (const { image, file, warnings } of images) {
        const mode = modeOf(image, options);
        const isElsewhere = !this.#scopes.isForThisNode(image);
        const attached = isElsewhere ? undefined : await this.#attachAll(image, mode, kernel());
        undo.push(() => this.#undo(attached));
        done.push(async () => {
          const old = this.#find(keyOf(image));
          this.#policies.set(keyOf(image), { image, file, warnings, mode, isElsewhere, isEnabled: true, attached });
          await this.#drop(old.attached);
        });
      }
    } catch (error) {
      for (const each of undo) await each();
      throw error;
    }
    for (const each of done) await each();
    return images.map(({ image }) => this.#status(keyOf(image)));
  }

  async remove(name: string): Promise<void> {
    const policy = this.#find(name);
    await this.#dropLeftovers();
    await this.#detachAll(policy.attached);
    this.#policies.delete(name);
  }

  async disable(name: string): Promise<void> {
    const policy = this.#find(name);
    await this.#dropLeftovers();
    await this.#detachAll(policy.attached);
    this.#policies.set(name, { ...policy, isEnabled: false, attached: undefined });
  }

  async enable(name: string): Promise<void> {
    const policy = this.#find(name);
    if (policy.attached !== undefined) return;
    const attached = policy.isElsewhere ? undefined : await this.#attachAgain(policy);
    this.#policies.set(name, { ...policy, isEnabled: true, attached });
  }

  async #attachAgain({ image, mode }: LoadedPolicy): Promise<AttachedPolicy> {
    await this.#readTypes();
    const kernel = loadKernelInfo();
    await readAttachable(kernel);
    return this.#attachAll(image, mode, kernel);
  }

  /** Attaches the policies that select the node now, and detaches those that do not. Resolves with those that failed. */
  async setNodeLabels(labels: Readonly<Record<string, string>>): Promise<PolicyFailure[]> {
    await this.#scopes.setNodeLabels(labels);
    const failures: PolicyFailure[] = [];
    for (const name of [...this.#policies.keys()]) {
      try {
        await this.#moveToNode(name);
      } catch (error) {
        failures.push({ name, error: (limitReached(error) ?? error) as PolicyFailure['error'] });
      }
    }
    return failures;
  }

  async #moveToNode(name: string): Promise<void> {
    const policy = this.#find(name);
    const { image, isEnabled, attached } = policy;
    const isElsewhere = !this.#scopes.isForThisNode(image);
    if (isElsewhere) {
      await this.#dropLeftovers();
      await this.#detachAll(attached);
      this.#policies.set(name, { ...policy, isElsewhere, attached: undefined });
      return;
    }
    this.#policies.set(name, { ...policy, isElsewhere });
    if (!isEnabled || attached !== undefined) return;
    this.#policies.set(name, { ...policy, isElsewhere, attached: await this.#attachAgain(policy) });
  }

  async setMode(name: string, mode: PolicyMode): Promise<void> {
    const policy = this.#find(name);
    checkModeCanChange(name, policy.mode);
    this.#mayRun(policy.image, mode);
    this.#policies.set(name, { ...policy, mode });
    if (mode === 'enforce' && isEnforcing(policy.image)) await this.#protect();
    if (policy.attached !== undefined) policy.attached.requests.monitors = mode !== 'enforce';
    for (const { id } of policy.attached?.hooks ?? []) this.#context.session.setEnforces(id, mode === 'enforce');
  }

  list(): PolicyStatus[] {
    return [...this.#policies.keys()].map((name) => this.#status(name));
  }

  #status(name: string): PolicyStatus {
    const { session, countHits } = this.#context;
    return policyStatus(name, this.#find(name), { session, countHits, scopes: this.#scopes });
  }

  /** What to use instead of a `policyName` that no event of the loaded policies has; undefined if one of them has it. */
  unknown(name: string): string | undefined {
    const names = [...this.#policies.values()].map(({ image }) => image.name);
    return names.includes(name) ? undefined : hintOf(name, names);
  }

  #find(name: string): LoadedPolicy {
    const policy = this.#policies.get(name);
    if (policy !== undefined) return policy;
    throw new PolytraceError(
      'NO_SUCH_POLICY',
      `there is no policy with the name ${name}`,
      hintOf(name, [...this.#policies.keys()]),
    );
  }

  #mayRun(image: CompiledPolicy, mode: LoadedMode): void {
    if (mode !== 'enforce') return;
    if (this.#requests === undefined && image.hooks.some(makesRequests)) {
      throw new PolytraceError(
        'REQUESTS_NOT_ALLOWED',
        `the policy ${keyOf(image)} makes network requests (GetUrl, DnsLookup), which this tracer does not allow`,
        'open the tracer with `allowRequests: true` (`--allow-requests`), or load the policy in monitor mode (`mode: "monitor"`, `--mode monitor`)',
      );
    }
    if (this.#options.enforcement || !isEnforcing(image)) return;
    throw new PolytraceError(
      'ENFORCEMENT_NOT_ALLOWED',
      `the policy ${keyOf(image)} signals processes, overrides functions or changes programs, which this tracer does not allow`,
      'open the tracer with `enforcement: true` (`--enforcement`), or load the policy in monitor mode (`mode: "monitor"`, `--mode monitor`)',
    );
  }

  /** Makes sure that no policy acts on this process and its ancestors. */
  async #protect(): Promise<void> {
    this.#parent = process.ppid;
    await this.#context.session.protectAncestors();
  }

  async #attachAll(image: CompiledPolicy, mode: LoadedMode, kernel: KernelInfo): Promise<AttachedPolicy> {
    await this.#dropLeftovers();
    const processBits = await this.#processes.acquire(image.processSets);
    const scopeBits: number[] = [];
    const hooks: AttachedPolicy['hooks'] = [];
    const skipped: string[] = [];
    const requests = new PolicyRequests(this.#requests, mode !== 'enforce');
    const tracksSockets = image.hooks.some(tracks);
    const attachedPolicy = { hooks, skipped, processBits, scopeBits, requests, tracks: tracksSockets };
    try {
      if (attachedPolicy.tracks) await this.#trackSockets(image);
      scopeBits.push(...(await this.#scopes.acquire(image.scopes)));
      if (image.hooks.some((hook) => hook.changes.length > 0)) await this.#context.session.keepState();
      if (isEnforcing(image)) await this.#protect();
      let enforcer: number | undefined;
      const all = await runCooperatively(this.#targets(image, kernel));
      skipped.push(...all.flatMap((each) => each.skipped));
      for (const target of all.flatMap(({ targets }) => targets)) {
        const { image: hook, functions } = target;
        await yieldToEventLoop();
        const id = this.#freeId();
        if (hook.kind === 'enforcer') enforcer ??= id;
        const countedBefore = this.#context.session.hookCounts(id);
        this.#context.session.setEnforces(id, mode === 'enforce');
        // The hook is registered before it is attached, because its first event may come at once.
        const { stackAddresses } = this.#options;
        const tally = newTally();
        const loaded = {
          id,
          policyName: image.name,
          functionName: hook.call,
          image: hook,
          stackAddresses,
          tally,
          ...(functions === undefined ? {} : { functions }),
          ...(makesRequests(hook) ? { requests } : {}),
        };
        this.#register(loaded);
        const attached = await this.#attach(target, {
          id,
          processBits,
          scopeBits,
          kernel,
          context: { ...this.#context, enforcer },
        });
        if (attached === undefined) {
          skipped.push(hook.call);
          continue;
        }
        const { skipped: leftOut = [], places, ...status } = attached;
        skipped.push(...leftOut);
        const own = places === undefined ? hook : { ...hook, places };
        this.#register({ ...loaded, functionName: attached.functionName, image: own });
        hooks.push({ id, call: hook.call, image: own, tally, countedBefore, ...status });
      }
    } catch (error) {
      await this.#undo(attachedPolicy);
      throw error;
    }
    return attachedPolicy;
  }

  *#targets(image: CompiledPolicy, kernel: KernelInfo): Steps<ReturnType<typeof targetsOf>[]> {
    const all: ReturnType<typeof targetsOf>[] = [];
    for (const hook of image.hooks) {
      yield;
      all.push(targetsOf(hook, this.#context, kernel));
    }
    return all;
  }

  #register(hook: LoadedHook): void {
    this.#hooks.set(hook.id, hook);
    this.#context.session.nameHook(hook.id, `${hook.policyName}${NAME_SEPARATOR}${hook.functionName}`);
  }

  /** If it fails, another call does the rest. */
  async #detachAll(attached: AttachedPolicy | undefined): Promise<void> {
    if (attached === undefined) return;
    const ids = attached.hooks.map(({ id }) => id);
    if (ids.length > 0) await this.#context.session.removeHooks(ids);
    for (const { id } of attached.hooks.splice(0)) this.#retire(id);
    this.#scopes.release(attached.scopeBits.splice(0));
    await this.#processes.release(attached.processBits.splice(0));
    if (!attached.tracks) return;
    attached.tracks = false;
    if (--this.#tracking === 0) await this.#context.session.setTracksSockets(false);
  }

  /** Detaches what no policy refers to any more. If it fails, the next change tries again. */
  async #drop(attached: AttachedPolicy | undefined): Promise<void> {
    if (attached === undefined) return;
    this.#leftovers.push(attached);
    await this.#dropLeftovers();
  }

  async #dropLeftovers(): Promise<void> {
    for (let attached = this.#leftovers[0]; attached !== undefined; attached = this.#leftovers[0]) {
      await this.#detachAll(attached);
      this.#leftovers.shift();
    }
  }

  /** Does the same for a change that has failed: its own error is the one to report. */
  async #undo(attached: AttachedPolicy | undefined): Promise<void> {
    await this.#drop(attached).catch(() => undefined);
  }

  /** Starts to forget freed sockets. This must happen before the hooks of a policy that tracks sockets are attached. */
  async #trackSockets(image: CompiledPolicy): Promise<void> {
    if (this.#tracking++ > 0) return;
    try {
      await this.#context.session.setTracksSockets(true);
    } catch (error) {
      throw new KernelError(
        'SOCKETS_NOT_TRACKED',
        `the policy ${keyOf(image)} tracks sockets, which needs a kprobe on sk_destruct: ${withReason(error as NativeError)}`,
        '`polytrace preflight` shows whether the kernel has kprobes',
        kernelDetail(error as NativeError),
      );
    }
  }

  /** Ends all requests, without waiting for answers. */
  close(): void {
    this.#requests?.close();
  }

  /** If this fails, the id becomes free again, but only later: the first of its two programs may have run. */
  async #attach(
    { image: hook, functions }: Target,
    request: Omit<AttachRequest, 'hook'>,
  ): Promise<Attached | undefined> {
    let attached: Attached | undefined;
    try {
      attached = await attachHook({ hook, ...request }, functions);
    } finally {
      if (attached === undefined) this.#retire(request.id);
    }
    return attached;
  }

  #retire(id: number): void {
    this.#retired.push({ id, since: performance.now() });
  }

  #freeId(): number {
    for (const collect of [false, true]) {
      // Without an iterator nobody has noticed that the ring buffer is empty, so it is checked here.
      if (collect && this.#context.session.used() === 0) this.onRingEmpty();
      for (let id = SensorHook.HOOK_FIRST_POLICY; id < AbiLimit.HOOKS_MAX; id++) {
        if (!this.#hooks.has(id)) return id;
      }
    }
    throw new KernelError(
      'LIMIT_HOOKS',
      `there are more than ${AbiLimit.HOOKS_MAX - SensorHook.HOOK_FIRST_POLICY} hooks at once`,
      'remove policies that are no longer needed, and read the events: hooks of removed policies are kept until their last events are read',
    );
  }
}

/** Says which policy is probably meant. */
function hintOf(name: string, known: readonly string[]): string {
  return nearestHint(name, known, known.length === 0 ? 'no policy is loaded' : `loaded: ${known.join(', ')}`);
}

function keyOf(image: CompiledPolicy): string {
  return image.namespace === undefined ? image.name : `${image.namespace}/${image.name}`;
}

/** Failures that no call of the program waits for. */
function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
