/** The tracer: connects the policies, the BPF programs and the stream of events. */
import { inspect } from 'node:util';
import type { LineFormatter } from '../../types/output.js';
import type { PolicyMode } from '../../types/policy.js';
import type {
  CloseOptions,
  EventsOptions,
  LoadOptions,
  PlainEventsOptions,
  PolicyFailure,
  PolicySource,
  PolicyStatus,
  TakeOverOptions,
  Tracer,
  TracerIterator,
  TracerOptions,
  TracerStats,
} from '../../types/tracer.js';
import type { MetricsSample } from '../../types/metrics.js';
import type { Process, TracerEvent } from '../../types/events.js';
import { KernelError, PolytraceError, throwIfAborted } from '../errors.js';
import { loadBinding, type CachedBtf, type NativeBinding, type NativeSession } from '../native/binding.js';
import { kernelDetail, isNotPermitted, messageWithReason, type NativeError } from '../native/native-error.js';
import { objectName, type NativeFeatures } from '../native/features.js';
import { preemption, type Preemption } from '../native/preemption.js';
import { forgetOtherKernelBtf, retainKernelBtf, toChoiceError } from '../native/btf.js';
import { fileReader, processReader } from '../native/file-reader.js';
import { checkLimits, toLimitError } from '../native/limits.js';
import { checkPrivileges } from '../native/preflight.js';
import type { ContainerInfo, ContainerSourceStatus } from '../../types/containers.js';
import { Cgroups } from '../containers/cgroups.js';
import { yieldToEventLoop } from '../cooperative.js';
import { scratchGuard } from '../attach/preemption.js';
import { ProcessCache } from '../process/cache.js';
import { Clock } from '../process/clock.js';
import { findCgroupMount } from '../process/cgroup-hierarchy.js';
import { isInHostNamespace } from '../process/proc-files.js';
import { LateMembers } from '../events/late-members.js';
import { findLineWriter } from '../lines/line-writer.js';
import { BatchIterator, EventIterator, type Consumer } from '../stream/consumer.js';
import { Handover } from '../stream/handover.js';
import { Hub } from '../stream/hub.js';
import { CombinedWork, LateWork } from '../stream/late-work.js';
import { LineIterator } from '../stream/line-iterator.js';
import { toPlainEvent, PlainIterator } from '../stream/plain-iterator.js';
import { AbiLimit, ScratchGuard, SensorHook } from '../wire/layout.gen.js';
import { badOptionError, checkPolicyName } from './bad-option.js';
import { ContainerWatch } from './containers.js';
import {
  checkCloseOptions,
  checkEventsOptions,
  checkLoadOptions,
  checkMode,
  checkNodeLabels,
  resolveOptions,
  type ResolvedOptions,
} from './options.js';
import { TracerHandle, type OwnedTracer } from './handle.js';
import { compilePolicies } from './compile-policies.js';
import { checkPolicySource } from './policy-source.js';
import { Persistence, removePersisted as removeFolder, toPersistError } from './persistence.js';
import { PolicySet } from './policies.js';
import { ContainerUprobes } from './container-uprobes.js';
import { describeGeneration, openGenerations, type Generation } from './earlier-tracers.js';
import { describeSensor } from './hook-description.js';
import { MetricReader } from './metrics.js';
import { MetricsIterators } from './metrics-iterator.js';
import { Scopes } from './scopes.js';

/** The parts that openTracer() has prepared. The tracer owns them. */
interface Parts {
  readonly binding: NativeBinding;
  readonly session: NativeSession;
  readonly features: NativeFeatures;
  readonly preemption: Preemption;
  readonly options: ResolvedOptions;
  readonly persistence: Persistence | undefined;
  /** The pins of earlier tracers. The oldest is the first. */
  readonly generations: readonly Generation[];
}

/** Most bytes of processes that are kept for the next tracer. It reads the others from /proc. */
const SAVED_PROCESSES_MAX = 16 * 1024 * 1024;

class KernelTracer implements OwnedTracer {
  readonly #session: NativeSession;
  readonly #options: ResolvedOptions;
  readonly #hub: Hub;
  readonly #policies: PolicySet;
  readonly #scopes: Scopes;
  readonly #containerUprobes: ContainerUprobes;
  readonly #cache: ProcessCache;
  readonly #persistence: Persistence | undefined;
  readonly #generations: readonly Generation[];
  /** Undefined if no earlier tracer has left anything. */
  readonly #handover: Handover | undefined;
  readonly #containers: ContainerWatch;
  readonly #metricReader: MetricReader;
  readonly #metricsIterators = new MetricsIterators();
  readonly #releaseBtf = retainKernelBtf();
  #takenOver: TracerStats['takenOver'];
  /** Settles after the last requested change. */
  #changes: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor({ binding, session, features, preemption: model, options, persistence, generations }: Parts) {
    this.#options = options;
    this.#persistence = persistence;
    this.#generations = generations;
    this.#session = session;
    const { nodeName, coalesceMs, polls = false, bufferSize, maxQueued } = options;
    const clock = new Clock(() => binding.bootOffset());
    const cgroups = createCgroups(binding);
    this.#containers = new ContainerWatch(options.containers, cgroups);
    const { names } = this.#containers;
    this.#metricReader = new MetricReader({ session, cgroups, names });
    const lateWork = new LateWork();
    this.#cache = new ProcessCache({
      nodeName,
      clock,
      cgroups,
      names,
      environment: options.environment,
      readFacts: (pid, executable) => fileReader().readProcess(pid, executable, isInHostNamespace('mnt')),
      onLateWork: lateWork.add,
    });
    const attachContext = {
      binding,
      session,
      features,
      attach: options.attach,
      preemption: model,
      allowMissedCalls: options.allowMissedCalls || !options.enforcement,
      selfTgid: session.selfTgid(),
      countHits: options.countHits,
      optimize: options.optimize,
      cachePaths: options.cachePaths,
    };
    this.#scopes = new Scopes(session, { nodeLabels: options.nodeLabels, mount: findCgroupMount() });
    this.#scopes.watch(this.#containers.store);
    this.#containerUprobes = new ContainerUprobes({
      containers: this.#containers.store,
      mount: findCgroupMount(),
      isWatching: options.containers !== undefined,
      change: (run) => this.#changeContainer(run),
    });
    this.#containers.store.subscribe(this.#containerUprobes);
    const { add } = lateWork;
    const lateMembers = new LateMembers(add);
    this.#handover = createHandover(generations, lateMembers, binding, session);
    this.#policies = new PolicySet(attachContext, options, {
      scopes: this.#scopes,
      containerUprobes: this.#containerUprobes,
      lateMembers,
      handover: this.#handover,
      earlierFolders: generations.map(({ folder }) => folder),
    });
    try {
      this.#hub = new Hub({
        session,
        cache: this.#cache,
        clock,
        hooks: this.#policies.hooks,
        nodeName,
        coalesceMs,
        polls,
        bufferSize,
        maxQueued,
        waitFor: {
          work: new CombinedWork(names === undefined ? [lateWork] : [lateWork, names]),
          members: lateWork,
          usedMax: bufferSize / 2,
        },
        onEmpty: () => this.#policies.onRingEmpty(),
        handover: this.#handover,
      });
    } catch (error) {
      this.#releaseBtf();
      throw error;
    }
  }

  /** Reads the running processes. Must be called once, before events are read. */
  async seed(): Promise<void> {
    const isHostView = isInHostNamespace('mnt');
    const readProcesses = processReader();
    await this.#cache.addRunningProcesses({
      list: async () => (await this.#session.listProcesses()) ?? undefined,
      readTexts: (threads, missing) => readProcesses(threads, missing, isHostView),
      check: () => this.#session.checkProcesses(isHostView),
      listPids: () => this.#session.listPids(),
    });
    for (const { ring } of this.#generations) {
      const processes = ring?.processes();
      if (processes !== undefined && processes !== null) this.#cache.restore(processes);
    }
  }

  /** Runs the changes one after the other. Rejects with KernelError LIMIT_… if a limit was reached. */
  #change<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(() => withLimitErrors(run));
    this.#changes = result.catch(() => undefined);
    return result;
  }

  /** A change that may remove hooks. The kernel's counters of a removed hook are lost when another gets its number. */
  async #removeHooks<T>(run: () => Promise<T>): Promise<T> {
    const collect = (): void => {
      if (this.#closing === undefined) this.#hub.updateLosses();
    };
    return this.#change(async () => {
      collect();
      return run().finally(collect);
    });
  }

  async #changeContainer(run: () => Promise<boolean>): Promise<boolean> {
    return this.#removeHooks(async () => (this.#closing === undefined ? run() : false));
  }

  /** The types of the events follow from the options: see the overloads in types/tracer.d.ts. */
  events(options: EventsOptions | PlainEventsOptions = {}): TracerIterator<never> {
    const events = new EventIterator(this.#join(options));
    return (options.plain === true ? new PlainIterator(events, toPlainEvent) : events) as TracerIterator<never>;
  }

  batches(options: EventsOptions | PlainEventsOptions = {}): TracerIterator<never> {
    const batches = new BatchIterator(this.#join(options));
    const plain = options.plain === true ? new PlainIterator(batches, (batch) => batch.map(toPlainEvent)) : batches;
    return plain as TracerIterator<never>;
  }

  lines(format: LineFormatter, options: EventsOptions = {}): TracerIterator<Uint8Array> {
    const writer = findLineWriter(format);
    if (writer === undefined)
      throw badOptionError('format', 'is another function', 'pass a function of jsonLines() or compactLines()');
    return new LineIterator(this.#join(options), writer);
  }

  #join(options: EventsOptions | PlainEventsOptions): Consumer {
    this.#checkOpen();
    checkEventsOptions(options);
    const { policyNames } = options;
    // a running change may load the policy
    if (policyNames !== undefined) void this.#changes.then(() => this.#warnAboutUnknown(policyNames));
    return this.#hub.addConsumer(options);
  }

  #warnAboutUnknown(policyNames: readonly string[]): void {
    if (this.#closing !== undefined) return;
    for (const name of policyNames) {
      const hint = this.#policies.hintForUnknown(name);
      if (hint === undefined) continue;
      process.emitWarning(`events({ policyNames }): no policy with the name ${inspect(name)} is loaded: ${hint}`, {
        type: 'PolytraceWarning',
        code: 'POLYTRACE_POLICY_NAME',
      });
    }
  }

  process(id: number | string): Process | undefined {
    const isId = typeof id === 'string' || Number.isSafeInteger(id);
    if (!isId) throw badOptionError('id', `is ${inspect(id)}`, 'use a process id or an execId');
    return (typeof id === 'number' ? this.#cache.findRunning(id) : this.#cache.findByExecId(id))?.view;
  }

  children({ execId }: Pick<Process, 'execId'>): Process[] {
    const exec = this.#cache.findByExecId(execId);
    return exec === undefined ? [] : this.#cache.listChildren(exec).map(({ view }) => view);
  }

  ancestors({ execId }: Pick<Process, 'execId'>): Process[] {
    const exec = this.#cache.findByExecId(execId);
    return exec?.parentProcess === undefined ? [] : [exec.parentProcess.view, ...exec.ancestors];
  }

  [Symbol.asyncIterator](): TracerIterator<TracerEvent> {
    return this.events();
  }

  async addPolicy(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    this.#checkOpen();
    checkPolicySource(source);
    checkLoadOptions(options);
    return this.#change(() => this.#policies.add([source], options));
  }

  /** Adds all policies or none. Rejects with the errors of all policies. */
  addPolicies(
    sources: readonly PolicySource[],
    options: LoadOptions,
    onProgress: TracerOptions['onProgress'],
    compiling?: ReturnType<typeof compilePolicies>,
  ): Promise<PolicyStatus[]> {
    return this.#change(() => this.#policies.add(sources, options, onProgress, compiling));
  }

  /** Ends the policies that an earlier tracer has left in the same folder. Returns the names of those that stay. */
  async takeOver({ keep = () => false }: TakeOverOptions = {}): Promise<string[]> {
    this.#checkOpen();
    if (typeof keep !== 'function') throw badOptionError('keep', `is ${inspect(keep)}`, 'use a function');
    return this.#change(() => this.#takeOver(keep));
  }

  async #takeOver(keep: (policyName: string | undefined) => boolean): Promise<string[]> {
    if (this.#persistence === undefined) return [];
    const readable = this.#generations.filter(({ ring }) => ring !== undefined);
    const tracers = new Map(readable.map(({ folder }, i) => [folder, this.#handover?.earlier[i]] as const));
    const kept = new Set<string>();
    const isKept = (folder: string, id: number): boolean => {
      const name = tracers.get(folder)?.policyName(id);
      if (!keep(name)) return false;
      kept.add(name ?? '');
      return true;
    };
    const all = await this.#persistence.takeOver((folder, links) => this.#session.removePins(folder, links), isKept);
    const programs = all.reduce((sum, removed) => sum + removed.programs, this.#takenOver?.programs ?? 0);
    let unread = this.#takenOver?.unread ?? 0;
    for (const { folder, pending } of all) {
      const tracer = folder === undefined ? undefined : tracers.get(folder);
      if (tracer === undefined) continue;
      for (const loss of tracer.finish(pending)) {
        unread += loss.count;
        this.#hub.reportLoss(loss);
      }
    }
    if (programs === 0) return [...kept];
    const isKnown = this.#generations.every(({ ring }) => ring !== undefined);
    this.#takenOver = { programs, unread: isKnown ? unread : undefined };
    return [...kept];
  }

  async replacePolicy(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    this.#checkOpen();
    checkPolicySource(source);
    checkLoadOptions(options);
    return this.#removeHooks(() => this.#policies.replace(source, options));
  }

  async removePolicy(name: string): Promise<void> {
    this.#checkOpen();
    checkPolicyName(name);
    return this.#removeHooks(() => this.#policies.remove(name));
  }

  async disablePolicy(name: string): Promise<void> {
    this.#checkOpen();
    checkPolicyName(name);
    return this.#removeHooks(() => this.#policies.disable(name));
  }

  async enablePolicy(name: string): Promise<void> {
    this.#checkOpen();
    checkPolicyName(name);
    return this.#change(() => this.#policies.enable(name));
  }

  async setPolicyMode(name: string, mode: PolicyMode): Promise<void> {
    this.#checkOpen();
    checkPolicyName(name);
    checkMode(mode);
    return this.#change(() => this.#policies.setMode(name, mode));
  }

  async setNodeLabels(labels: Readonly<Record<string, string>>): Promise<PolicyFailure[]> {
    this.#checkOpen();
    const checked = checkNodeLabels(labels);
    return this.#removeHooks(() => this.#policies.setNodeLabels(checked));
  }

  /** Starts the sources of containers. */
  watchContainers(): Promise<void> {
    return this.#containers.start();
  }

  containers(): ContainerInfo[] {
    return this.#containers.list();
  }

  containerSources(): ContainerSourceStatus[] {
    return this.#containers.sources();
  }

  policies(): PolicyStatus[] {
    this.#hub.refreshLosses();
    return this.#policies.list();
  }

  async metrics(): Promise<MetricsSample> {
    this.#checkOpen();
    const time = new Date();
    // a hook that is removed meanwhile would give its id to another one
    return this.#change(async () => ({ time, metrics: await this.#metricReader.read(this.#policies.counting()) }));
  }

  metricsEvery(milliseconds: number): AsyncIterableIterator<MetricsSample> {
    this.#checkOpen();
    return this.#metricsIterators.start(() => this.metrics(), milliseconds);
  }

  stats(): TracerStats {
    this.#hub.refreshLosses();
    const lostByHook = this.#hub.losses;
    return {
      events: this.#hub.events,
      lost: lostByHook.reduce((sum, loss) => sum + loss.count, 0),
      lostByHook,
      processes: this.#cache.size,
      shortenedArguments: this.#cache.shortenedArguments,
      iterators: this.#hub.consumers,
      bufferSize: this.#options.bufferSize,
      bufferUsed: this.#session.unreadBytes(),
      optimize: this.#options.optimize,
      cachePaths: this.#options.cachePaths,
      ...this.#containers.counts(),
      ...(this.#takenOver === undefined ? {} : { takenOver: this.#takenOver }),
    };
  }

  async close(options: CloseOptions = {}): Promise<void> {
    checkCloseOptions(options, this.#options.persist);
    this.#closing ??= this.#close(options.keep === true);
    return this.#closing;
  }

  readNow(): void {
    this.#hub.readNow();
  }

  get mustGoOn(): boolean {
    const isActing = ({ enforcing, mode, state }: PolicyStatus): boolean =>
      enforcing && mode === 'enforce' && state === 'enabled';
    return this.#closing === undefined && (this.#persistence !== undefined || this.policies().some(isActing));
  }

  /** Waits for the running change. */
  async #close(keep: boolean): Promise<void> {
    this.#metricsIterators.end();
    await this.#changes;
    try {
      await this.#containers.stop();
      this.#scopes.close();
      this.#containerUprobes.close();
      if (!keep) await this.#session.detach(false);
      await this.#hub.end(keep);
      if (keep) await this.#saveProcesses();
      if (keep) await this.#session.detach(true);
      this.#policies.close();
    } finally {
      await this.#session.close();
      this.#releaseBtf();
      this.#persistence?.end();
    }
  }

  /** Keeps the running processes for the next tracer, which otherwise knows only those of /proc. */
  async #saveProcesses(): Promise<void> {
    try {
      await this.#session.saveProcesses(this.#cache.saveRunning(SAVED_PROCESSES_MAX));
    } catch (error) {
      process.emitWarning(`the next tracer will not know all processes: ${messageWithReason(error as NativeError)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined)
      throw new PolytraceError('CLOSED', 'the tracer is closed', 'open a new tracer with openTracer()');
  }
}

/** Must be called when the base sensor is attached. */
function createHandover(
  generations: readonly Generation[],
  lateMembers: LateMembers,
  binding: NativeBinding,
  session: NativeSession,
): Handover | undefined {
  const parts = generations.flatMap(({ ring }) => (ring === undefined ? [] : [describeGeneration(ring, lateMembers)]));
  if (parts.length === 0) return undefined;
  const since = binding.bootTime();
  session.nameHook(SensorHook.HOOK_EXEC, describeSensor({ since }));
  return new Handover(parts, since, () => binding.bootTime());
}

/** Looks up cgroups only if this process sees the whole hierarchy, because otherwise their paths differ from the host's. */
function createCgroups(binding: NativeBinding): Cgroups {
  const mount = findCgroupMount();
  if (mount === undefined) return new Cgroups();
  return new Cgroups(mount, (id) => binding.cgroupPath(mount, id)?.toString('latin1'));
}

/** Opens the session with the BPF objects for this kernel, and pins it if `persistence` is given. */
async function openSession(parts: Omit<Parts, 'generations'>): Promise<void> {
  const { binding, session, features, options, persistence } = parts;
  try {
    await session.open({
      object: objectName('process', features),
      ringBytes: options.bufferSize,
      processes: AbiLimit.PROCESSES_MAX,
      includeSelf: options.includeSelf,
      onDemand: features.btf.available && binding.kernelHasStruct('bpf_mem_alloc'),
      environment: options.environment !== undefined,
      rateEvents: options.cgroupRate?.events ?? 0,
      rateIntervalMs: options.cgroupRate?.intervalMs ?? 0,
      exclusive: scratchGuard('tp_btf', parts) === ScratchGuard.GUARD_PREEMPT,
    });
  } catch (error) {
    throw toSensorError(error as NativeError, features);
  }
  if (persistence === undefined) return;
  try {
    await session.pinTo(persistence.folder);
  } catch (error) {
    await session.detach(false);
    throw toPersistError(error, persistence.folder);
  }
}

function toSensorError(error: NativeError, features: NativeFeatures): KernelError {
  const detail = kernelDetail(error);
  if (!features.btf.available) {
    return new KernelError(
      'NO_BTF',
      'this kernel has no type information (/sys/kernel/btf/vmlinux)',
      'use a kernel that was built with CONFIG_DEBUG_INFO_BTF=y; the kernels of most distributions are. Or name a file with its types: `btf`, --btf',
      detail,
    );
  }
  if (isNotPermitted(error)) {
    const missing = checkPrivileges().missing;
    return new KernelError(
      'NOT_PERMITTED',
      `loading BPF programs is not permitted${missing.length > 0 ? `: ${missing.join(', ')} missing` : ''}`,
      'run as root, or with CAP_BPF and CAP_PERFMON; run a container with --privileged, or --cap-add BPF and PERFMON',
      detail,
    );
  }
  return new KernelError(
    error.code ?? 'SENSOR_LOAD',
    messageWithReason(error),
    '`polytrace preflight` shows what this kernel supports; the `log` of this error contains the messages of the kernel',
    detail,
  );
}

export async function openTracer(options: TracerOptions = {}): Promise<Tracer> {
  return openResolved(options, resolveOptions(options));
}

/** A tracer whose reader reads every `coalesceMs`, because no event is urgent. readNow() ends a pause. */
export async function openPolledTracer(options: TracerOptions): Promise<Tracer> {
  return openResolved(options, { ...resolveOptions(options), polls: true });
}

export function readNow(tracer: Tracer): void {
  TracerHandle.readNow(tracer);
}

async function openResolved(options: TracerOptions, resolved: ResolvedOptions): Promise<Tracer> {
  throwIfAborted(resolved.signal);
  const binding = loadBinding();
  return withLimitErrors(() => openWithBinding(binding, options, resolved));
}

/** Rejects with KernelError LIMIT_… if a limit was reached. */
async function withLimitErrors<T>(run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toLimitError(error) ?? error;
  }
}

async function openWithBinding(
  binding: NativeBinding,
  options: TracerOptions,
  resolved: ResolvedOptions,
): Promise<Tracer> {
  const session = binding.createSession();
  session.prepareRing(resolved.bufferSize);
  await useKernelBtf(session, resolved.btf);
  const btf = await loadKernelBtf(session);
  try {
    return await openWithSession({ binding, session, options: resolved }, options);
  } finally {
    if (btf !== undefined) session.releaseKernelBtf(btf);
  }
}

async function useKernelBtf(session: NativeSession, file: string): Promise<void> {
  try {
    await session.useKernelBtf(file);
    forgetOtherKernelBtf(file);
  } catch (error) {
    await session.close();
    throw toChoiceError(error);
  }
}

/** Keeps the BTF in memory for all steps of opening. If it cannot be read, the feature `btf` has the reason. */
async function loadKernelBtf(session: NativeSession): Promise<CachedBtf | undefined> {
  try {
    return await session.loadKernelBtf();
  } catch {
    return undefined;
  }
}

async function openWithSession(
  { binding, session, options }: Pick<Parts, 'binding' | 'session' | 'options'>,
  given: TracerOptions,
): Promise<Tracer> {
  const { persist, mode, signal } = options;
  const sources = given.policies ?? [];
  let compiling: ReturnType<typeof compilePolicies> | undefined;
  let persistence: Persistence | undefined;
  let tracer: KernelTracer;
  try {
    const features = await session.probeFeatures();
    checkLimits(features);
    throwIfAborted(signal);
    persistence = persist === undefined ? undefined : new Persistence(persist, binding);
    const parts = { binding, session, features, preemption: preemption.detect(binding), options, persistence };
    const opened = openSession(parts);
    // the kernel checks the programs of the base sensor meanwhile
    if (features.btf.available && sources.length > 0) compiling = compilePolicies(sources, signal);
    compiling?.catch(() => undefined);
    await opened;
    throwIfAborted(signal);
    tracer = new KernelTracer({ ...parts, generations: openGenerations(persistence?.earlier ?? [], binding) });
  } catch (error) {
    await session.close();
    persistence?.end();
    throw error;
  }
  try {
    await yieldToEventLoop();
    await tracer.seed();
    throwIfAborted(signal);
    await tracer.watchContainers();
    throwIfAborted(signal);
    const loadOptions = { ...(mode === undefined ? {} : { mode }), ...(signal === undefined ? {} : { signal }) };
    await tracer.addPolicies(sources, loadOptions, given.onProgress, compiling);
    throwIfAborted(signal);
    if (options.takeOver) await tracer.takeOver();
  } catch (error) {
    await tracer.close();
    throw error;
  }
  return new TracerHandle(tracer);
}

export async function removePersisted(path: string): Promise<string[]> {
  const binding = loadBinding();
  return withLimitErrors(async () => {
    const session = binding.createSession();
    try {
      return await removeFolder(path, binding, (folder, links) => session.removePins(folder, links));
    } finally {
      await session.close();
    }
  });
}
