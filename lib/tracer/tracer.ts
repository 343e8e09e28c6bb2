/** The tracer: it connects the policies, the BPF programs and the stream of events. */
import type { PolicyMode } from '../../types/policy.js';
import type {
  CloseOptions,
  EventsOptions,
  LoadOptions,
  PolicySource,
  PolicyStatus,
  Tracer,
  TracerOptions,
  TracerStats,
} from '../../types/tracer.js';
import type { TracerEvent } from '../../types/events.js';
import { KernelError, PolytraceError } from '../errors.js';
import { loadBinding, type NativeBinding, type NativeSession } from '../native/binding.js';
import { kernelDetail, notPermitted, withReason, type NativeError } from '../native/native-error.js';
import { objectName, type NativeFeatures } from '../native/features.js';
import { holdKernelTypes } from '../native/btf.js';
import { checkLimits, limitReached } from '../native/limits.js';
import { privileges } from '../native/preflight.js';
import { ProcessCache } from '../process/cache.js';
import { Clock } from '../process/clock.js';
import { BatchIterator, EventIterator } from '../stream/consumer.js';
import { Hub, sensorName } from '../stream/hub.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { checkCloseOptions, checkEventsOptions, checkMode, resolveOptions, type ResolvedOptions } from './options.js';
import { Persistence, removePersisted as removeFolder, toPersistError } from './persistence.js';
import { hookNames, PolicySet } from './policies.js';

class KernelTracer implements Tracer {
  readonly #session: NativeSession;
  readonly #options: ResolvedOptions;
  readonly #hub: Hub;
  readonly #policies: PolicySet;
  readonly #cache: ProcessCache;
  readonly #persistence: Persistence | undefined;
  readonly #releaseTypes = holdKernelTypes();
  #takenOver: TracerStats['takenOver'];
  #closed = false;

  constructor(binding: NativeBinding, features: NativeFeatures, options: ResolvedOptions) {
    this.#options = options;
    this.#persistence = options.persist === undefined ? undefined : new Persistence(options.persist, binding);
    try {
      this.#session = openSession(binding, features, options, this.#persistence);
    } catch (error) {
      this.#releaseTypes();
      this.#persistence?.end();
      throw error;
    }
    const { nodeName, coalesceMs, maxQueued } = options;
    const clock = new Clock(() => binding.bootOffset());
    this.#cache = new ProcessCache({ nodeName, clock });
    const attachContext = {
      binding,
      session: this.#session,
      features,
      attach: options.attach,
      selfTgid: this.#session.selfTgid(),
      countHits: options.countHits,
    };
    this.#policies = new PolicySet(attachContext, options);
    try {
      this.#hub = new Hub({
        session: this.#session,
        cache: this.#cache,
        clock,
        hooks: this.#policies.hooks,
        nodeName,
        coalesceMs,
        maxQueued,
        onEmpty: () => this.#policies.onRingEmpty(),
      });
    } catch (error) {
      this.#session.close();
      this.#releaseTypes();
      this.#persistence?.end();
      throw error;
    }
    this.#cache.seed();
  }

  events(options: EventsOptions = {}): AsyncIterableIterator<TracerEvent> {
    this.#mustBeOpen();
    checkEventsOptions(options);
    return new EventIterator(this.#hub.join(options));
  }

  batches(options: EventsOptions = {}): AsyncIterableIterator<readonly TracerEvent[]> {
    this.#mustBeOpen();
    checkEventsOptions(options);
    return new BatchIterator(this.#hub.join(options));
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<TracerEvent> {
    return this.events();
  }

  async addPolicy(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    this.#mustBeOpen();
    checkMode(options.mode);
    return named(() => this.#policies.add([source], options));
  }

  /** Adds all policies or none, and reports every mistake of all policies. */
  addPolicies(sources: readonly PolicySource[], options: LoadOptions): PolicyStatus[] {
    return this.#policies.add(sources, options);
  }

  /**
   * Ends the policies that an earlier tracer has left in the same folder. The policies of this tracer are already
   * attached.
   */
  takeOver(): void {
    if (this.#persistence === undefined) return;
    const { programs, unread } = this.#persistence.takeOver();
    for (const { id, count, name } of unread ?? []) {
      const { policyName, functionName } = hookNames(name);
      const hook = sensorName(id) ?? functionName;
      this.#hub.tell({ hook, policyName, reason: 'no_reader', count });
    }
    if (programs === 0) return;
    this.#takenOver = { programs, unread: unread?.reduce((sum, { count }) => sum + count, 0) };
  }

  async replacePolicy(source: PolicySource, options: LoadOptions = {}): Promise<PolicyStatus[]> {
    this.#mustBeOpen();
    checkMode(options.mode);
    this.#hub.update(); // the kernel's counters of removed hooks are lost with them
    return named(() => this.#policies.replace(source, options));
  }

  async removePolicy(name: string): Promise<void> {
    this.#mustBeOpen();
    this.#hub.update();
    this.#policies.remove(name);
  }

  async disablePolicy(name: string): Promise<void> {
    this.#mustBeOpen();
    this.#hub.update();
    this.#policies.disable(name);
  }

  async enablePolicy(name: string): Promise<void> {
    this.#mustBeOpen();
    return named(() => this.#policies.enable(name));
  }

  async setPolicyMode(name: string, mode: PolicyMode): Promise<void> {
    this.#mustBeOpen();
    checkMode(mode);
    this.#policies.setMode(name, mode);
  }

  policies(): PolicyStatus[] {
    this.#hub.update();
    return this.#policies.list();
  }

  stats(): TracerStats {
    this.#hub.update();
    const lostByHook = this.#hub.lost;
    return {
      events: this.#hub.events,
      lost: lostByHook.reduce((sum, loss) => sum + loss.count, 0),
      lostByHook,
      processes: this.#cache.size,
      iterators: this.#hub.consumers,
      bufferSize: this.#options.bufferSize,
      bufferUsed: this.#session.used(),
      ...(this.#takenOver === undefined ? {} : { takenOver: this.#takenOver }),
    };
  }

  async close(options: CloseOptions = {}): Promise<void> {
    checkCloseOptions(options, this.#options.persist);
    if (this.#closed) return;
    this.#closed = true;
    const keep = options.keep === true;
    if (!keep) this.#session.detach(false);
    this.#hub.end(keep);
    if (keep) this.#session.detach(true);
    this.#policies.close();
    this.#session.close();
    this.#releaseTypes();
    this.#persistence?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new PolytraceError('CLOSED', 'the tracer is closed', 'open a new tracer with openTracer()');
  }
}

/** Opens the session with direct reads if the kernel supports them, else with programs that read through a helper. */
function openSession(
  binding: NativeBinding,
  features: NativeFeatures,
  options: ResolvedOptions,
  persistence: Persistence | undefined,
): NativeSession {
  let session: NativeSession;
  try {
    session = binding.openSession({
      object: objectName('process', features),
      ringBytes: options.bufferSize,
      processes: AbiLimit.PROCESSES_MAX,
      includeSelf: options.includeSelf,
      onDemand: binding.kernelHasStruct('bpf_mem_alloc'),
    });
  } catch (error) {
    throw sensorError(error as NativeError, features);
  }
  if (persistence === undefined) return session;
  try {
    session.pinTo(persistence.folder);
  } catch (error) {
    session.detach(false);
    session.close();
    throw toPersistError(error, persistence.folder);
  }
  return session;
}

function sensorError(error: NativeError, features: NativeFeatures): KernelError {
  const detail = kernelDetail(error);
  if (!features.btf.available) {
    return new KernelError(
      'NO_BTF',
      'this kernel has no type information (/sys/kernel/btf/vmlinux)',
      'use a kernel that was built with CONFIG_DEBUG_INFO_BTF=y; the kernels of most distributions are',
      detail,
    );
  }
  if (notPermitted(error)) {
    const missing = privileges().missing;
    return new KernelError(
      'NOT_PERMITTED',
      `loading BPF programs is not permitted${missing.length > 0 ? `: ${missing.join(', ')} missing` : ''}`,
      'run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE; a container must be privileged',
      detail,
    );
  }
  return new KernelError(
    error.code ?? 'SENSOR_LOAD',
    withReason(error),
    '`polytrace preflight` shows what this kernel supports; the `log` of this error contains the messages of the kernel',
    detail,
  );
}

export async function openTracer(options: TracerOptions = {}): Promise<Tracer> {
  const resolved = resolveOptions(options);
  const binding = loadBinding();
  return named(() => open(binding, options, resolved));
}

/** A limit that was reached is named by its own error. */
async function named<T>(run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw limitReached(error) ?? error;
  }
}

async function open(binding: NativeBinding, options: TracerOptions, resolved: ResolvedOptions): Promise<Tracer> {
  const features = binding.probeFeatures();
  checkLimits(features);
  const tracer = new KernelTracer(binding, features, resolved);
  try {
    tracer.addPolicies(options.policies ?? [], resolved.mode === undefined ? {} : { mode: resolved.mode });
    tracer.takeOver();
  } catch (error) {
    await tracer.close();
    throw error;
  }
  return tracer;
}

export function removePersisted(path: string): string[] {
  return removeFolder(path, loadBinding());
}
