/**
 * The metrics of the agent, for Prometheus. A metric with the meaning of one of Tetragon has its name. Most values
 * are read when the metrics are requested. Only events are counted as they arrive.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { PolicyStatus, Tracer, TracerStats } from 'polytrace';
import { PROCESS_LABELS, type AgentOptions } from '../config/settings.js';
import type { ExportStats } from '../export/export.js';
import type { OtlpStats } from '../otlp/otlp-export.js';
import type { PolicyEntry, PolicyStore } from '../policies/store.js';
import type { EventHub } from '../streams/hub.js';
import { EventCounts, type MetricLabels } from './event-counts.js';

interface MetricsContext {
  readonly tracer: Pick<Tracer, 'stats'>;
  readonly store: PolicyStore;
  readonly hub: EventHub;
  readonly version: string;
  readonly exports: {
    readonly json: { readonly stats: ExportStats } | undefined;
    readonly otlp: { readonly stats: OtlpStats } | undefined;
  };
}

type Sample = readonly [labels: MetricLabels, value: number];

export class Metrics {
  readonly #registry = new Registry();
  readonly #counts: EventCounts;
  readonly #context: MetricsContext;
  /** The values of one request. */
  #stats: TracerStats;
  #policies: readonly PolicyEntry[] = [];
  #reading: Promise<string> | undefined;

  constructor({ metricsLabelFilter }: Pick<AgentOptions, 'metricsLabelFilter'>, context: MetricsContext) {
    this.#counts = new EventCounts(metricsLabelFilter);
    collectDefaultMetrics({ register: this.#registry });
    this.#context = context;
    this.#stats = context.tracer.stats();
    this.#addEvents();
    this.#addLosses();
    this.#addPolicies();
    this.#addClients();
    this.#addExports();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Requests at the same time share one result. */
  read(): Promise<string> {
    if (this.#reading !== undefined) return this.#reading;
    const { tracer, store } = this.#context;
    this.#stats = tracer.stats();
    this.#policies = store.list();
    this.#reading = this.#registry.metrics().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  #addCounter(name: string, help: string, labels: readonly string[], samples: () => Iterable<Sample>): void {
    new Counter({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of samples()) this.inc(values, value);
      },
    });
  }

  #addGauge(name: string, help: string, labels: readonly string[], samples: () => Iterable<Sample>): void {
    new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of samples()) this.set(values, value);
      },
    });
  }

  #addEvents(): void {
    const { hub, version } = this.#context;
    const counts = this.#counts;
    hub.listen((batch) => counts.add(batch));
    const toSamples = (of: Iterable<{ readonly labels: MetricLabels; readonly count: number }>): Sample[] =>
      [...of].map(({ labels, count }) => [labels, count]);
    this.#addCounter('tetragon_events_total', 'Events by type.', ['type', ...PROCESS_LABELS], () =>
      toSamples(counts.byType),
    );
    this.#addCounter('tetragon_policy_events_total', 'Events of policies.', ['policy', 'hook', ...PROCESS_LABELS], () =>
      toSamples(counts.byPolicy),
    );
    this.#addGauge('tetragon_process_cache_size', 'Processes in the cache.', [], () => [[{}, this.#stats.processes]]);
    this.#addGauge('polytrace_build_info', 'Version of the agent.', ['version'], () => [[{ version }, 1]]);
    this.#addGauge('polytrace_containers', 'Containers by state.', ['state'], () =>
      Object.entries(this.#stats.containers ?? {}).map(([state, value]) => [{ state }, value]),
    );
  }

  #addLosses(): void {
    const addCounter = (name: string, help: string, value: () => number): void => {
      this.#addCounter(name, help, [], () => [[{}, value()]]);
    };
    addCounter(
      'tetragon_observer_ringbuf_events_received_total',
      'Events that were read and reported.',
      () => this.#stats.events,
    );
    addCounter('tetragon_observer_ringbuf_events_lost_total', 'Records that were lost.', () => this.#stats.lost);
    this.#addCounter(
      'polytrace_lost_records_total',
      'Lost records by hook and reason.',
      ['hook', 'policy', 'reason'],
      () =>
        this.#stats.lostByHook.map(({ hook, policyName: policy, reason, count }) => [{ hook, policy, reason }, count]),
    );
    this.#addGauge('polytrace_ring_buffer_size_bytes', 'Size of the ring buffer.', [], () => [
      [{}, this.#stats.bufferSize],
    ]);
    this.#addGauge('polytrace_ring_buffer_used_bytes', 'Unread bytes of the ring buffer.', [], () => [
      [{}, this.#stats.bufferUsed],
    ]);
  }

  #addPolicies(): void {
    const { store } = this.#context;
    this.#addGauge('tetragon_tracingpolicy_loaded', 'Policies by state.', ['state'], () => {
      const states = this.#policies.map(policyState);
      const all = ['enabled', 'disabled', 'load_error', 'error'];
      return all.map((state) => [{ state }, states.filter((each) => each === state).length]);
    });
    const policySamples = (value: (status: PolicyStatus) => number) => (): Sample[] =>
      this.#policies.flatMap((entry): Sample[] => {
        return entry.status === undefined ? [] : [[policyLabels(entry), value(entry.status)]];
      });
    const names = ['policy', 'policy_namespace'];
    this.#addGauge(
      'tetragon_tracingpolicy_kernel_memory_bytes',
      'Kernel memory of policies.',
      names,
      policySamples(({ memory }) => memory),
    );
    this.#addGauge('polytrace_policy_state', 'State and mode of policies.', [...names, 'state', 'mode'], () =>
      this.#policies.map((entry) => [
        { ...policyLabels(entry), state: policyState(entry), mode: entry.status?.mode ?? '' },
        1,
      ]),
    );
    this.#addGauge('polytrace_policy_errors', 'Files and resources whose policy could not be loaded.', [], () => [
      [{}, store.failedCount],
    ]);
    this.#addGauge(
      'polytrace_unreadable_policy_paths',
      'Files and folders with policies that cannot be read.',
      [],
      () => [[{}, store.unreadableCount]],
    );
    this.#addGauge('polytrace_degraded', '1 while not all policies are as wanted.', [], () => [
      [{}, Number(store.isDegraded)],
    ]);
    const addHookCounter = (key: HookCount, help: string): void => {
      this.#addCounter(`polytrace_hook_${key}_total`, help, [...names, 'hook'], () =>
        this.#policies.flatMap((entry) => hookSamples(entry, key)),
      );
    };
    addHookCounter('matched', 'Calls that a selector matched.');
    addHookCounter('posted', 'Events that were read from the ring buffer.');
    addHookCounter('suppressed', 'Events that a rate limit of the policy held back.');
    addHookCounter('enforced', 'Calls that were overridden, or whose process got a signal.');
    addHookCounter('lost', 'Events that could not be recorded.');
  }

  #addClients(): void {
    const { hub } = this.#context;
    this.#addGauge('polytrace_clients', 'Clients that read events.', [], () => [[{}, hub.streams.size]]);
    this.#addGauge('polytrace_client_queue_bytes', 'Bytes of events that wait for clients.', [], () => [
      [{}, [...hub.streams].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)],
    ]);
    this.#addCounter(
      'tetragon_notify_overflowed_events_total',
      'Events that clients did not get because they did not keep up.',
      [],
      () => [[{}, hub.lostCount]],
    );
  }

  #addExports(): void {
    const { json, otlp } = this.#context.exports;
    const toSamples = (value: (stats: ExportStats) => number) => (): Sample[] => {
      return json === undefined ? [] : [[{}, value(json.stats)]];
    };
    const addCounter = (name: string, help: string, value: (stats: ExportStats) => number): void =>
      this.#addCounter(name, help, [], toSamples(value));
    addCounter('tetragon_events_exported_total', 'Exported lines.', ({ lines }) => lines);
    addCounter('tetragon_events_exported_bytes_total', 'Exported bytes.', ({ bytes }) => bytes);
    addCounter(
      'tetragon_export_ratelimit_events_dropped_total',
      'Events over export-rate-limit.',
      ({ limited }) => limited,
    );
    addCounter('polytrace_export_lost_events_total', 'Events that the file did not take.', ({ lost }) => lost);
    addCounter('polytrace_export_failures_total', 'Writes that failed.', ({ failures }) => failures);
    const addGauge = (name: string, help: string, value: (stats: ExportStats) => number): void =>
      this.#addGauge(name, help, [], toSamples(value));
    addGauge(
      'tetragon_events_last_exported_timestamp',
      'When an event was exported last.',
      ({ lastAt }) => lastAt / 1000,
    );
    addGauge('polytrace_export_queue_bytes', 'Bytes that wait for the export.', ({ waiting }) => waiting);
    if (otlp === undefined) return;
    const otlpSamples = (value: (stats: OtlpStats) => number) => (): Sample[] => [[{}, value(otlp.stats)]];
    const addOtlpCounter = (name: string, help: string, value: (stats: OtlpStats) => number): void =>
      this.#addCounter(name, help, [], otlpSamples(value));
    addOtlpCounter('polytrace_otlp_sent_total', 'Records that the collector took.', (stats) => stats.sent);
    addOtlpCounter('polytrace_otlp_lost_events_total', 'Events that were not sent.', ({ lost }) => lost);
    addOtlpCounter('polytrace_otlp_failures_total', 'Requests that failed.', ({ failures }) => failures);
    const addOtlpGauge = (name: string, help: string, value: (stats: OtlpStats) => number): void =>
      this.#addGauge(name, help, [], otlpSamples(value));
    addOtlpGauge('polytrace_otlp_queue_bytes', 'Bytes that wait in memory.', ({ waiting }) => waiting);
    addOtlpGauge('polytrace_otlp_spool_bytes', 'Bytes that wait on the disk.', ({ spooled }) => spooled);
  }
}

type HookCount = 'matched' | 'posted' | 'suppressed' | 'enforced' | 'lost';

function policyLabels({ name, namespace }: PolicyEntry): MetricLabels {
  return { policy: name, policy_namespace: namespace };
}

function policyState({ status, error }: PolicyEntry): string {
  if (status === undefined) return 'load_error';
  return error === undefined ? (status.state === 'enabled' ? 'enabled' : 'disabled') : 'error';
}

/** Returns one series for all hooks of the same function. */
function hookSamples(entry: PolicyEntry, key: HookCount): Sample[] {
  const sums = new Map<string, number>();
  for (const hook of entry.status?.hooks ?? []) {
    sums.set(hook.functionName, (sums.get(hook.functionName) ?? 0) + hook[key]);
  }
  return [...sums].map(([hook, value]) => [{ ...policyLabels(entry), hook }, value]);
}
