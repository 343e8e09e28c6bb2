/** Manages the policies of a tracer: loads them completely or not at all, lists, switches, replaces and removes them. */
import {
  allActions,
  hasLateMembers,
  hasNetworkRequests,
  hasSocketTracking,
  makeEmptyHook,
} from '../compiled/compiled-hook.js';
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
import { KernelError, PolytraceError, throwIfAborted } from '../errors.js';
import { runAtOnce, runCooperatively, yieldToEventLoop, type Steps } from '../cooperative.js';
import { kernelDetail, messageWithReason, type NativeError } from '../native/native-error.js';
import { loadKernelInfo, readAttachable } from '../native/btf.js';
import { toLimitError } from '../native/limits.js';
import type { CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import { AbiLimit, SensorHook } from '../wire/layout.gen.js';
import { attachHook } from '../attach/attach.js';
import { HookGroups } from '../attach/hook-groups.js';
import { newTally, type LoadedHook } from '../events/hook.js';
import { expireKernelSymbols, prepareKernelSymbols, refreshKernelSymbols } from '../events/kernel-symbols.js';
import type { AttachContext, AttachResult, AttachRequest } from '../attach/request.js';
import { checkModeCanChange, loadedMode, type LoadedMode } from './modes.js';
import {
  isEnforcing,
  policyStatus,
  type AttachedHook,
  type AttachedPolicy,
  type LoadedPolicy,
} from './policy-status.js';
import { hasContainerMarks, Marks } from './marks.js';
import { ProcessSets } from './process-sets.js';
import { putRunningArguments } from './running-arguments.js';
import { isInContainers, PolicyUprobes, type ContainerUprobes, type FileHook } from './container-uprobes.js';
import { describeHook, type HookIdentity } from './hook-description.js';
import type { CountingPolicy } from './metrics.js';
import type { Scopes } from './scopes.js';
import type { Handover } from '../stream/handover.js';
import type { LateMembers } from '../events/late-members.js';
import { PolicyRequests, Requests } from '../events/requests.js';
import { nearestHint } from '../policy/index.js';
import { compilePolicies } from './compile-policies.js';
import { findTargets, type Target } from '../attach/targets.js';

/** Time until a detached program has ended. It may still run on another CPU and write a record. */
const LINGER_MS = 100;

/** Hooks that are loaded at the same time. The verifier needs some megabytes for each. */
const LOADS_AT_ONCE = 4;

/** The tracer that takes the policies over knows programs of single hooks only. */
const PERSISTENT = { membership: () => undefined, reason: () => 'the policies persist' };

/** A group has no records of its own. */
const GROUP_HOOK = makeEmptyHook('kprobe', '', { file: '', line: 0, column: 0 });

/** Options for the events of policies, and the permissions of policies. */
export interface PolicySetOptions {
  readonly enforcement: boolean;
  readonly groupPolicies: boolean;
  readonly stackAddresses: boolean;
  /** Undefined if requests are not allowed. */
  readonly allowRequests: RequestOptions | undefined;
  /** Undefined if the policies end with this process. */
  readonly persist: string | undefined;
}

/** The parts of a tracer that its policies use. */
export interface PolicySetParts {
  readonly scopes: Scopes;
  readonly containerUprobes: ContainerUprobes;
  readonly lateMembers: LateMembers;
  /** Undefined if no earlier tracer has left anything. */
  readonly handover: Handover | undefined;
  /** The folders of the pins of earlier tracers, the oldest first. */
  readonly earlierFolders: readonly string[];
}

/** A policy whose hooks are being attached. */
interface Loading {
  readonly compiled: CompiledPolicy;
  readonly mode: LoadedMode;
  readonly kernel: KernelInfo;
  readonly attached: AttachedPolicy;
  /** The id of the policy's first enforcer. */
  readonly enforcer?: number | undefined;
  /** The file of a container. */
  readonly file?: string;
}

export class PolicySet {
  readonly #context: AttachContext;
  /** Undefined if each hook has a program of its own. */
  readonly #groups: HookGroups | undefined;
  readonly #options: PolicySetOptions;
  readonly #processes: ProcessSets;
  readonly #marks: Marks;
  readonly #scopes: Scopes;
  readonly #containerUprobes: ContainerUprobes;
  readonly #lateMembers: LateMembers;
  readonly #handover: Handover | undefined;
  readonly #policies = new Map<string, LoadedPolicy>();
  /** The status that was read last. */
  readonly #statuses = new WeakMap<LoadedPolicy, PolicyStatus>();
  /** Hooks by id. Hooks of removed policies stay until their last records have been read. */
  readonly #hooks = new Map<number, LoadedHook>();
  #retired: { readonly id: number; readonly since: number }[] = [];
  /** Parent of this process when its ancestors were protected; undefined until a policy can act on processes. */
  #parent: number | undefined;
  readonly #requests: Requests | undefined;
  /** Hooks that are still attached after their policy was removed, because detaching them failed. */
  readonly #leftovers: AttachedPolicy[] = [];
  /** Number of attached policies that track sockets. */
  #tracking = 0;

  constructor(
    context: AttachContext,
    options: PolicySetOptions,
    { scopes, containerUprobes, lateMembers, handover, earlierFolders }: PolicySetParts,
  ) {
    this.#handover = handover;
    this.#containerUprobes = containerUprobes;
    this.#lateMembers = lateMembers;
    this.#groups = options.groupPolicies ? this.#createGroups(context) : undefined;
    this.#context = { ...context, groups: this.#groups };
    this.#scopes = scopes;
    this.#options = options;
    this.#processes = new ProcessSets(context.session, putRunningArguments);
    this.#marks = new Marks(context, earlierFolders);
    const { allowRequests } = options;
    this.#requests = allowRequests === undefined ? undefined : new Requests(allowRequests.nameServers);
  }

  #createGroups({ session, features, preemption, optimize, countHits }: AttachContext): HookGroups {
    return new HookGroups({
      ...{ session, features, preemption, optimize, countHits },
      allocateId: (functionName, members) => {
        const id = this.#findFreeId();
        const compiled = GROUP_HOOK;
        this.#hooks.set(id, { id, policyName: '', functionName, compiled, tally: newTally(), members });
        return id;
      },
      releaseId: (id) => this.#retire(id),
    });
  }

  get hooks(): ReadonlyMap<number, LoadedHook> {
    return this.#hooks;
  }

  /** Must be called when the ring buffer is empty: it then has no records of hooks that were removed before `LINGER_MS`. */
  onRingEmpty(): void {
    if (this.#parent !== undefined && this.#parent !== process.ppid) this.#protect().catch(emitWarning);
    if (this.#retired.length === 0) return;
    const until = performance.now() - LINGER_MS;
    for (const { id, since } of this.#retired) if (since <= until) this.#hooks.delete(id);
    this.#retired = this.#retired.filter(({ since }) => since > until);
  }

  /** Reads the kernel BTF on the session's thread. From then on the tracer keeps it in memory. */
  async #loadKernelBtf(): Promise<void> {
    // without BTF, the first check that needs it fails with the reason
    const btf = await this.#context.session.loadKernelBtf().catch(() => undefined);
    if (btf !== undefined) loadKernelInfo();
  }

  async #compile(sources: readonly PolicySource[], signal: LoadOptions['signal']): ReturnType<typeof compilePolicies> {
    throwIfAborted(signal);
    if (sources.length > 0) await this.#loadKernelBtf();
    return compilePolicies(sources, signal);
  }

  /** Adds all policies or none. `compiling`: the same sources, which are being compiled already. */
  async add(
    sources: readonly PolicySource[],
    options: LoadOptions = {},
    onProgress?: TracerOptions['onProgress'],
    compiling?: ReturnType<typeof compilePolicies>,
  ): Promise<PolicyStatus[]> {
    if (compiling !== undefined) await this.#loadKernelBtf();
    const { policies, kernel } = await (compiling ?? this.#compile(sources, options.signal));
    const names = new Set(this.#policies.keys());
    for (const { compiled } of policies) {
      if (names.has(policyKey(compiled))) {
        throw new PolytraceError(
          'POLICY_EXISTS',
          `a policy with the name ${policyKey(compiled)} is already loaded`,
          'remove or replace that policy, or use another metadata.name',
        );
      }
      names.add(policyKey(compiled));
      this.#checkPermissions(compiled, loadedMode(compiled, options));
    }
    const done: string[] = [];
    try {
      for (const { compiled, file, warnings } of policies) {
        const mode = loadedMode(compiled, options);
        const isElsewhere = !this.#scopes.isForThisNode(compiled);
        const attached = isElsewhere ? undefined : await this.#attachAll(compiled, mode, kernel(), options.signal);
        this.#policies.set(policyKey(compiled), {
          compiled,
          file,
          warnings,
          mode,
          isElsewhere,
          isEnabled: true,
          attached,
        });
        done.push(policyKey(compiled));
        onProgress?.({ loaded: done.length, total: policies.length });
      }
      return done.map((name) => this.#status(name));
    } catch (error) {
      for (const name of done) {
        const { attached } = this.#find(name);
        this.#policies.delete(name);
        await this.#discardQuietly(attached);
      }
      throw error;
    }
  }

  /** Attaches the new policies before the old ones are removed. If one fails, all old policies stay. */
  async replace(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    const { policies, kernel } = await this.#compile([source], options.signal);
    for (const { compiled } of policies) {
      this.#find(policyKey(compiled));
      this.#checkPermissions(compiled, loadedMode(compiled, options));
    }
    const done: (() => Promise<void>)[] = [];
    const undo: (() => Promise<void>)[] = [];
    try {
      for (const { compiled, file, warnings } of policies) {
        const mode = loadedMode(compiled, options);
        const isElsewhere = !this.#scopes.isForThisNode(compiled);
        const attach = (): Promise<AttachedPolicy> => this.#attachAll(compiled, mode, kernel(), options.signal);
        const attached = isElsewhere ? undefined : await this.#replaceHooks(policyKey(compiled), attach);
        undo.push(() => this.#discardQuietly(attached));
        done.push(async () => {
          const old = this.#find(policyKey(compiled));
          this.#policies.set(policyKey(compiled), {
            compiled,
            file,
            warnings,
            mode,
            isElsewhere,
            isEnabled: true,
            attached,
          });
          await this.#discard(old.attached);
        });
      }
    } catch (error) {
      for (const each of undo) await each();
      throw error;
    }
    for (const each of done) await each();
    return policies.map(({ compiled }) => this.#status(policyKey(compiled)));
  }

  #replaceHooks(name: string, attach: () => Promise<AttachedPolicy>): Promise<AttachedPolicy> {
    const ids = this.#find(name).attached?.hooks.map(({ id }) => id) ?? [];
    return this.#groups === undefined ? attach() : this.#groups.replace(ids, attach);
  }

  async remove(name: string): Promise<void> {
    const policy = this.#find(name);
    await this.#discardLeftovers();
    await this.#detachAll(policy.attached);
    this.#policies.delete(name);
  }

  async disable(name: string): Promise<void> {
    const policy = this.#find(name);
    await this.#discardLeftovers();
    await this.#detachAll(policy.attached);
    this.#policies.set(name, { ...policy, isEnabled: false, attached: undefined });
  }

  async enable(name: string): Promise<void> {
    const policy = this.#find(name);
    if (policy.attached !== undefined) return;
    const attached = policy.isElsewhere ? undefined : await this.#reattach(policy);
    this.#policies.set(name, { ...policy, isEnabled: true, attached });
  }

  async #reattach({ compiled, mode }: LoadedPolicy): Promise<AttachedPolicy> {
    await this.#loadKernelBtf();
    const kernel = loadKernelInfo();
    await readAttachable(kernel);
    return this.#attachAll(compiled, mode, kernel);
  }

  /** Attaches the policies that now select the node, and detaches the others. Resolves with the policies that failed. */
  async setNodeLabels(labels: Readonly<Record<string, string>>): Promise<PolicyFailure[]> {
    await this.#scopes.setNodeLabels(labels);
    const failures: PolicyFailure[] = [];
    for (const name of [...this.#policies.keys()]) {
      try {
        await this.#moveToNode(name);
      } catch (error) {
        failures.push({ name, error: (toLimitError(error) ?? error) as PolicyFailure['error'] });
      }
    }
    return failures;
  }

  async #moveToNode(name: string): Promise<void> {
    const policy = this.#find(name);
    const { compiled, isEnabled, attached } = policy;
    const isElsewhere = !this.#scopes.isForThisNode(compiled);
    if (isElsewhere) {
      await this.#discardLeftovers();
      await this.#detachAll(attached);
      this.#policies.set(name, { ...policy, isElsewhere, attached: undefined });
      return;
    }
    this.#policies.set(name, { ...policy, isElsewhere });
    if (!isEnabled || attached !== undefined) return;
    this.#policies.set(name, { ...policy, isElsewhere, attached: await this.#reattach(policy) });
  }

  async setMode(name: string, mode: PolicyMode): Promise<void> {
    const policy = this.#find(name);
    checkModeCanChange(name, policy.mode, policy.compiled);
    this.#checkPermissions(policy.compiled, mode);
    this.#policies.set(name, { ...policy, mode });
    if (mode === 'enforce' && isEnforcing(policy.compiled)) await this.#protect();
    if (policy.attached !== undefined) policy.attached.requests.monitors = mode !== 'enforce';
    for (const { id } of policy.attached?.hooks ?? []) this.#context.session.setEnforcement(id, mode === 'enforce');
  }

  /** The attached policies that count, with the ids of their hooks. */
  counting(): CountingPolicy[] {
    return [...this.#policies.values()].flatMap(({ compiled, attached }) => {
      if (attached === undefined) return [];
      const hooks = attached.hooks.filter((hook) => hook.compiled.counts !== undefined);
      return hooks.length === 0 ? [] : [{ compiled, hooks, since: attached.since }];
    });
  }

  list(): PolicyStatus[] {
    return [...this.#policies.keys()].map((name) => this.#status(name));
  }

  #status(name: string): PolicyStatus {
    const { session, countHits } = this.#context;
    const policy = this.#find(name);
    const groups = this.#options.persist === undefined ? this.#groups : PERSISTENT;
    const context = { session, countHits, scopes: this.#scopes, groups };
    const status = policyStatus(name, policy, context, this.#statuses.get(policy));
    this.#statuses.set(policy, status);
    return status;
  }

  /** Returns a hint for a `policyName` that no loaded policy has; undefined if a policy has it. */
  hintForUnknown(name: string): string | undefined {
    const names = [...this.#policies.values()].map(({ compiled }) => compiled.name);
    return names.includes(name) ? undefined : policyHint(name, names);
  }

  #find(name: string): LoadedPolicy {
    const policy = this.#policies.get(name);
    if (policy !== undefined) return policy;
    throw new PolytraceError(
      'NO_SUCH_POLICY',
      `there is no policy with the name ${name}`,
      policyHint(name, [...this.#policies.keys()]),
    );
  }

  #checkPermissions(compiled: CompiledPolicy, mode: LoadedMode): void {
    if (mode !== 'enforce') return;
    if (this.#requests === undefined && compiled.hooks.some(hasNetworkRequests)) {
      throw new PolytraceError(
        'REQUESTS_NOT_ALLOWED',
        `the policy ${policyKey(compiled)} makes network requests (GetUrl, DnsLookup), which this tracer does not allow`,
        'open the tracer with `allowRequests: true` (`--allow-requests`), or load the policy in monitor mode (`mode: "monitor"`, `--mode monitor`)',
      );
    }
    if (this.#options.enforcement || !isEnforcing(compiled)) return;
    throw new PolytraceError(
      'ENFORCEMENT_NOT_ALLOWED',
      `the policy ${policyKey(compiled)} signals processes, overrides functions or changes programs, which this tracer does not allow`,
      'open the tracer with `enforcement: true` (`--enforcement`), or load the policy in monitor mode (`mode: "monitor"`, `--mode monitor`)',
    );
  }

  /** Makes sure that no policy acts on this process and its ancestors. */
  async #protect(): Promise<void> {
    this.#parent = process.ppid;
    await this.#context.session.protectAncestors();
  }

  async #attachAll(
    compiled: CompiledPolicy,
    mode: LoadedMode,
    kernel: KernelInfo,
    signal?: LoadOptions['signal'],
  ): Promise<AttachedPolicy> {
    throwIfAborted(signal);
    await this.#discardLeftovers();
    const processBits = await this.#processes.acquire(compiled.processSets);
    const scopeBits: number[] = [];
    const markIds: number[] = [];
    const hooks: AttachedPolicy['hooks'] = [];
    const skipped: string[] = [];
    const requests = new PolicyRequests(this.#requests, mode !== 'enforce');
    const tracksSockets = compiled.hooks.some(hasSocketTracking);
    const uprobes = new PolicyUprobes(compiled, (hook, file) =>
      this.#attachToFile(hook, file, { compiled, mode, kernel, attached: attachedPolicy }),
    );
    const attachedPolicy: AttachedPolicy = {
      ...{ hooks, skipped, processBits, scopeBits, markIds, requests, uprobes },
      since: new Date(),
      tracks: tracksSockets,
    };
    try {
      if (attachedPolicy.tracks) await this.#trackSockets(compiled);
      scopeBits.push(...(await this.#scopes.acquire(compiled.scopes)));
      if (hasContainerMarks(compiled)) await this.#scopes.enable();
      markIds.push(...(await this.#marks.acquire(policyKey(compiled), compiled.marks ?? [])));
      if (compiled.hooks.some((hook) => hook.changes.length > 0)) await this.#context.session.enableProcessState();
      if (isEnforcing(compiled)) await this.#protect();
      const hasKernelStacks = compiled.hooks.some((hook) => allActions(hook).some((each) => each.kernelStack === true));
      const groupsBefore = this.#groups?.opened;
      if (hasKernelStacks) {
        await prepareKernelSymbols();
        expireKernelSymbols();
      }
      let enforcer: number | undefined;
      const all = await runCooperatively(this.#findTargets(compiled, kernel));
      skipped.push(...all.flatMap((each) => each.skipped));
      const loading = { compiled, mode, kernel, attached: attachedPolicy };
      const targets = all.flatMap((each) => each.targets).filter(({ hook }) => !isInContainers(hook));
      const attach = async (target: Target): Promise<AttachedHook | undefined> => {
        await yieldToEventLoop();
        throwIfAborted(signal);
        const hook = await this.#attachTarget(target, { ...loading, enforcer });
        if (hook === undefined) skipped.push(target.hook.call);
        else if (target.hook.kind === 'enforcer') enforcer ??= hook.id;
        return hook;
      };
      // the first one is relocated, which is most of its cost, and the others reuse that; their order stays that of the policy
      const [first, ...others] = targets;
      const attached = first === undefined ? [] : [await attach(first)];
      attached.push(...(await runAtOnce(others, this.#loadsAtOnce(compiled), attach)));
      hooks.splice(0, hooks.length, ...attached.filter((hook) => hook !== undefined));
      if (hasKernelStacks && this.#hasNewPrograms(hooks, groupsBefore)) await refreshKernelSymbols();
      await this.#containerUprobes.add(uprobes);
      throwIfAborted(signal);
    } catch (error) {
      await this.#discardQuietly(attachedPolicy);
      throw error;
    }
    return attachedPolicy;
  }

  /** False if all hooks are in groups that there were before. */
  #hasNewPrograms(hooks: AttachedPolicy['hooks'], groupsBefore: number | undefined): boolean {
    return this.#groups?.opened !== groupsBefore || hooks.some(({ id }) => this.#groups?.membership(id) === undefined);
  }

  /** Enforcers and pins need the hooks before them. */
  #loadsAtOnce({ hooks }: CompiledPolicy): number {
    const isOrdered = this.#handover !== undefined || this.#options.persist !== undefined;
    return isOrdered || hooks.some(({ kind }) => kind === 'enforcer') ? 1 : LOADS_AT_ONCE;
  }

  /** Undefined if the policy allows that the target is missing. */
  async #attachTarget({ hook, functions }: Target, loading: Loading): Promise<AttachedHook | undefined> {
    const { compiled, mode, kernel, enforcer, attached: policy, file } = loading;
    const { hooks, skipped, processBits, scopeBits, markIds, requests } = policy;
    const id = this.#findFreeId();
    const countedBefore = this.#context.session.hookCounts(id);
    this.#context.session.setEnforcement(id, mode === 'enforce');
    // the hook is registered before it is attached, because its first event can come immediately
    const { stackAddresses } = this.#options;
    const tally = newTally();
    const loaded = {
      id,
      policyName: compiled.name,
      functionName: hook.call,
      compiled: hook,
      stackAddresses,
      tally,
      ...(functions === undefined ? {} : { functions }),
      ...(hasNetworkRequests(hook) ? { requests } : {}),
      ...(hasLateMembers(hook) ? { lateMembers: this.#lateMembers } : {}),
    };
    const key = file === undefined ? hookKey(compiled, hook, hooks) : undefined;
    this.#register(loaded, { key });
    const context = { ...this.#context, enforcer: hook.kind === 'enforcer' ? (enforcer ?? id) : enforcer };
    const request = { id, processBits, scopeBits, markIds, kernel, context, ...(file === undefined ? {} : { file }) };
    this.#handover?.beginAttach(id, key);
    const attached = await this.#attach({ hook, ...(functions === undefined ? {} : { functions }) }, request);
    if (attached === undefined) return undefined;
    const since = this.#handover?.endAttach(id, key);
    const { skipped: leftOut = [], attachPoints, ...status } = attached;
    skipped.push(...leftOut);
    const own = attachPoints === undefined ? hook : { ...hook, places: attachPoints };
    this.#register({ ...loaded, functionName: attached.functionName, compiled: own }, { key, since });
    const memory = this.#context.session.hookMemory(id);
    const result = { id, call: hook.call, compiled: own, tally, countedBefore, memory, ...status };
    hooks.push(result);
    return result;
  }

  /** Attaches a uprobe to the file of a container. The mode of the policy may have changed since it was loaded. */
  async #attachToFile(hook: CompiledHook, file: string, loading: Loading): Promise<FileHook | undefined> {
    const { hooks } = loading.attached;
    const loaded = [...this.#policies.values()].find(({ attached }) => attached === loading.attached);
    const attached = await this.#attachTarget({ hook }, { ...loading, mode: loaded?.mode ?? loading.mode, file });
    if (attached === undefined) return undefined;
    return {
      detach: async () => {
        await this.#context.session.removeHooks([attached.id]);
        hooks.splice(hooks.indexOf(attached), 1);
        this.#retire(attached.id);
      },
    };
  }

  *#findTargets(compiled: CompiledPolicy, kernel: KernelInfo): Steps<ReturnType<typeof findTargets>[]> {
    const all: ReturnType<typeof findTargets>[] = [];
    for (const hook of compiled.hooks) {
      yield;
      all.push(findTargets(hook, this.#context, kernel));
    }
    return all;
  }

  #register(hook: LoadedHook, identity: HookIdentity): void {
    this.#hooks.set(hook.id, hook);
    if (this.#options.persist !== undefined) this.#context.session.nameHook(hook.id, describeHook(hook, identity));
  }

  /** If it fails, another call continues from there. */
  async #detachAll(attached: AttachedPolicy | undefined): Promise<void> {
    if (attached === undefined) return;
    this.#containerUprobes.remove(attached.uprobes);
    const ids = attached.hooks.map(({ id }) => id);
    const separate = ids.filter((id) => this.#groups?.membership(id) === undefined);
    if (separate.length > 0) await this.#context.session.removeHooks(separate);
    await this.#groups?.remove(ids);
    for (const { id } of attached.hooks.splice(0)) this.#retire(id);
    this.#scopes.release(attached.scopeBits.splice(0));
    await this.#processes.release(attached.processBits.splice(0));
    await this.#marks.release(attached.markIds.splice(0));
    if (!attached.tracks) return;
    attached.tracks = false;
    if (--this.#tracking === 0) await this.#context.session.setSocketTracking(false);
  }

  /** Detaches hooks that no policy refers to any more. If it fails, the next change tries again. */
  async #discard(attached: AttachedPolicy | undefined): Promise<void> {
    if (attached === undefined) return;
    this.#leftovers.push(attached);
    await this.#discardLeftovers();
  }

  async #discardLeftovers(): Promise<void> {
    for (let attached = this.#leftovers[0]; attached !== undefined; attached = this.#leftovers[0]) {
      await this.#detachAll(attached);
      this.#leftovers.shift();
    }
  }

  /** The same as `#discard`, but ignores errors: the change that failed reports its own error. */
  async #discardQuietly(attached: AttachedPolicy | undefined): Promise<void> {
    await this.#discard(attached).catch(() => undefined);
  }

  /** Starts to delete the owners of freed sockets. Must be called before the hooks of a policy that tracks sockets are attached. */
  async #trackSockets(compiled: CompiledPolicy): Promise<void> {
    if (this.#tracking++ > 0) return;
    try {
      await this.#context.session.setSocketTracking(true);
    } catch (error) {
      throw new KernelError(
        'SOCKETS_NOT_TRACKED',
        `the policy ${policyKey(compiled)} tracks sockets, which needs a kprobe on sk_destruct: ${messageWithReason(error as NativeError)}`,
        '`polytrace preflight` shows whether the kernel has kprobes',
        kernelDetail(error as NativeError),
      );
    }
  }

  /** Ends all requests, without waiting for answers. */
  close(): void {
    this.#requests?.close();
  }

  /** If this fails, the id becomes free again after `LINGER_MS`, because the first of two programs may have run. */
  async #attach({ hook, functions }: Target, request: Omit<AttachRequest, 'hook'>): Promise<AttachResult | undefined> {
    let attached: AttachResult | undefined;
    try {
      attached = await attachHook({ hook, ...request }, functions);
    } finally {
      if (attached === undefined) {
        this.#handover?.cancelAttach(request.id);
        this.#retire(request.id);
      }
    }
    return attached;
  }

  #retire(id: number): void {
    this.#retired.push({ id, since: performance.now() });
  }

  #findFreeId(): number {
    for (const collect of [false, true]) {
      // without an iterator, nobody calls onRingEmpty(), so the ring buffer is checked here
      if (collect && this.#context.session.unreadBytes() === 0) this.onRingEmpty();
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

/** Suggests the policy with the nearest name, or lists the loaded policies. */
function policyHint(name: string, known: readonly string[]): string {
  return nearestHint(name, known, known.length === 0 ? 'no policy is loaded' : `loaded: ${known.join(', ')}`);
}

/** Equal for the same hook of the same policy in the next tracer. */
function hookKey(policy: CompiledPolicy, { kind, call }: CompiledHook, before: readonly AttachedHook[]): string {
  const same = before.filter((hook) => hook.compiled.kind === kind && hook.call === call).length;
  return [policyKey(policy), kind, call, same].join('\n');
}

function policyKey(compiled: CompiledPolicy): string {
  return compiled.namespace === undefined ? compiled.name : `${compiled.namespace}/${compiled.name}`;
}

/** Reports an error that no call of the program waits for. */
function emitWarning(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
