/**
 * The tracer that a program holds. The kernel's side keeps the tracer behind it alive, so only this handle shows whether
 * the program can still reach it. A tracer that was never closed and that nobody can reach would hold its descriptors
 * until the process ends.
 */
import type { ContainerInfo, ContainerSourceStatus } from '../../types/containers.js';
import type { Process, TracerEvent } from '../../types/events.js';
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
  TracerStats,
} from '../../types/tracer.js';
import type { MetricsSample } from '../../types/metrics.js';

/** A tracer that can do without its handle. */
export interface OwnedTracer extends Tracer {
  /** Policies that act, or that stay active when this process ends. Closing the tracer would end what they do. */
  readonly mustGoOn: boolean;
  /** Ends a pause of the reader. */
  readNow(): void;
}

const unreachable = new FinalizationRegistry<OwnedTracer>(releaseTracer);

/** Who holds an iterator holds its tracer. */
const holders = new WeakMap<object, TracerHandle>();

export class TracerHandle implements Tracer {
  readonly #tracer: OwnedTracer;

  constructor(tracer: OwnedTracer) {
    this.#tracer = tracer;
    unreachable.register(this, tracer, this);
  }

  /** Delivers the events that programs have written; for tracers that poll. */
  static readNow(tracer: Tracer): void {
    if (tracer instanceof TracerHandle) tracer.#tracer.readNow();
  }

  events(options?: EventsOptions | PlainEventsOptions): TracerIterator<never> {
    return this.#hold(this.#tracer.events(options as EventsOptions));
  }

  batches(options?: EventsOptions | PlainEventsOptions): TracerIterator<never> {
    return this.#hold(this.#tracer.batches(options as EventsOptions));
  }

  lines(format: LineFormatter, options?: EventsOptions): TracerIterator<Uint8Array> {
    return this.#hold(this.#tracer.lines(format, options));
  }

  [Symbol.asyncIterator](): TracerIterator<TracerEvent> {
    return this.events();
  }

  #hold(iterator: TracerIterator<unknown>): TracerIterator<never> {
    holders.set(iterator, this);
    return iterator as TracerIterator<never>;
  }

  process(id: number | string): Process | undefined {
    return this.#tracer.process(id);
  }

  children(process: Pick<Process, 'execId'>): Process[] {
    return this.#tracer.children(process);
  }

  ancestors(process: Pick<Process, 'execId'>): Process[] {
    return this.#tracer.ancestors(process);
  }

  addPolicy(source: PolicySource, options?: LoadOptions): Promise<PolicyStatus[]> {
    return this.#tracer.addPolicy(source, options);
  }

  replacePolicy(source: PolicySource, options?: LoadOptions): Promise<PolicyStatus[]> {
    return this.#tracer.replacePolicy(source, options);
  }

  removePolicy(name: string): Promise<void> {
    return this.#tracer.removePolicy(name);
  }

  disablePolicy(name: string): Promise<void> {
    return this.#tracer.disablePolicy(name);
  }

  enablePolicy(name: string): Promise<void> {
    return this.#tracer.enablePolicy(name);
  }

  setPolicyMode(name: string, mode: PolicyMode): Promise<void> {
    return this.#tracer.setPolicyMode(name, mode);
  }

  setNodeLabels(labels: Readonly<Record<string, string>>): Promise<PolicyFailure[]> {
    return this.#tracer.setNodeLabels(labels);
  }

  policies(): PolicyStatus[] {
    return this.#tracer.policies();
  }

  containers(): ContainerInfo[] {
    return this.#tracer.containers();
  }

  containerSources(): ContainerSourceStatus[] {
    return this.#tracer.containerSources();
  }

  takeOver(options?: TakeOverOptions): Promise<string[]> {
    return this.#tracer.takeOver(options);
  }

  metrics(): Promise<MetricsSample> {
    return this.#tracer.metrics();
  }

  metricsEvery(milliseconds: number): AsyncIterableIterator<MetricsSample> {
    const iterator = this.#tracer.metricsEvery(milliseconds);
    holders.set(iterator, this);
    return iterator;
  }

  stats(): TracerStats {
    return this.#tracer.stats();
  }

  async close(options?: CloseOptions): Promise<void> {
    await this.#tracer.close(options);
    unreachable.unregister(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Nobody can notice the end of policies that only report. Those that act go on until the process ends. */
function releaseTracer(tracer: OwnedTracer): void {
  const { mustGoOn } = tracer;
  const what = mustGoOn
    ? 'it stays open, because its policies enforce or are persistent'
    : 'it is closed, and its policies end';
  process.emitWarning(`A tracer was not closed, and no part of the program can reach it any more: ${what}.`, {
    code: 'POLYTRACE_TRACER_NOT_CLOSED',
    detail: 'Call close(), or use `await using`. Keep the tracer, or an iterator of it, as long as it has to work.',
  });
  if (!mustGoOn) void tracer.close().catch(() => undefined);
}
