/**
 * The metrics of the agent, for Prometheus. Names are Tetragon's where the meaning is the same. Most values are asked for when they
 * are read; only events are counted as they come.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { PolicyStatus, Tracer, TracerStats } from 'polytrace';
import { PROCESS_LABELS, type AgentOptions } from '../config/settings.js';
import type { ExportStats } from '../export/export.js';
import type { OtlpStats } from '../otlp/otlp-export.js';
import type { PolicyEntry, PolicyStore } from '../policies/store.js';
import type { EventHub } from '../streams/hub.js';
import { EventCounts, type Labels } from './event-counts.js';

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

type Sample = readonly [labels: Labels, value: number];

export class Metrics {
  readonly #registry = new Registry();
  readonly #counts: EventCounts;
  readonly #context: MetricsContext;
  /** What one reading shows. */
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

  /** Several readers at a time get the same text. */
  read(): Promise<string> {
    if (this.#reading !== undefined) return this.#reading;
    const { tracer, store } = this.#context;
    this.#stats = tracer.stats();
    this.#policies = store.list();
    this.#reading = this.#registry.metrics().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  #counter(name: string, help: string, labels: readonly string[], samples: () => Iterable<Sample>): void {
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

  #gauge(name: string, help: string, labels: readonly string[], samples: () => Iterable<Sample>): void {
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
    hub.listen((batch) => counts.give(batch));
    const series = (of: Iterable<{ readonly labels: Labels; readonly count: number }>): Sample[] =>
      [...of].map(({ labels, count }) => [labels, count]);
    this.#counter('tetragon_events_total', 'Events by type.', ['type', ...PROCESS_LABELS], () => series(counts.byType));
    this.#counter('tetragon_policy_events_total', 'Events of policies.', ['policy', 'hook', ...PROCESS_LABELS], () =>
      series(counts.byPolicy),
    );
    this.#gauge('tetragon_process_cache_size', 'Processes in the cache.', [], () => [[{}, this.#stats.processes]]);
    this.#gauge('polytrace_build_info', 'Version of the agent.', ['version'], () => [[{ version }, 1]]);
    this.#gauge('polytrace_containers', 'Containers by state.', ['state'], () =>
      Object.entries(this.#stats.containers ?? {}).map(([state, value]) => [{ state }, value]),
    );
  }

  #addLosses(): void {
    const one = (name: string, help: string, value: () => number): void => {
      this.#counter(name, help, [], () => [[{}, value()]]);
    };
    one(
      'tetragon_observer_ringbuf_events_received_total',
      'Events that were read and reported.',
      () => this.#stats.events,
    );
    one('tetragon_observer_ringbuf_events_lost_total', 'Records that were lost.', () => this.#stats.lost);
    this.#counter(
      'polytrace_lost_records_total',
      'Lost records by hook and reason.',
      ['hook', 'policy', 'reason'],
      () =>
        this.#stats.lostByHook.map(({ hook, policyName: policy, reason, count }) => [{ hook, policy, reason }, count]),
    );
    this.#gauge('polytrace_ring_buffer_size_bytes', 'Size of the ring buffer.', [], () => [
      [{}, this.#stats.bufferSize],
    ]);
    this.#gauge('polytrace_ring_buffer_used_bytes', 'Unread bytes of the ring buffer.', [], () => [
      [{}, this.#stats.bufferUsed],
    ]);
  }

  #addPolicies(): void {
    const { store } = this.#context;
    this.#gauge('tetragon_tracingpolicy_loaded', 'Policies by state.', ['state'], () => {
      const states = this.#policies.map(stateOf);
      const all = ['enabled', 'disabled', 'load_error', 'error'];
      return all.map((state) => [{ state }, states.filter((each) => each === state).length]);
    });
    const perPolicy = (value: (status: PolicyStatus) => number) => (): Sample[] =>
      this.#policies.flatMap((entry): Sample[] => {
        return entry.status === undefined ? [] : [[namesOf(entry), value(entry.status)]];
      });
    const names = ['policy', 'policy_namespace'];
    this.#gauge(
      'tetragon_tracingpolicy_kernel_memory_bytes',
      'Kernel memory of policies.',
      names,
      perPolicy(({ memory }) => memory),
    );
    this.#gauge('polytrace_policy_state', 'State and mode of policies.', [...names, 'state', 'mode'], () =>
      this.#policies.map((entry) => [{ ...namesOf(entry), state: stateOf(entry), mode: entry.status?.mode ?? '' }, 1]),
    );
    this.#gauge('polytrace_policy_errors', 'Files and resources whose policy could not be loaded.', [], () => [
      [{}, store.failed],
    ]);
    const perHook = (key: HookCount, help: string): void => {
      this.#counter(`polytrace_hook_${key}_total`, help, [...names, 'hook'], () =>
        this.#policies.flatMap((entry) => hooksOf(entry, key)),
      );
    };
    perHook('matched', 'Calls that a selector matched.');
    perHook('posted', 'Events that were read from the ring buffer.');
    perHook('suppressed', 'Events that a rate limit of the policy held back.');
    perHook('enforced', 'Calls that were overridden, or whose process got a signal.');
    perHook('lost', 'Events that could not be recorded.');
  }

  #addClients(): void {
    const { hub } = this.#context;
    this.#gauge('polytrace_clients', 'Clients that read events.', [], () => [[{}, hub.streams.size]]);
    this.#gauge('polytrace_client_queue_bytes', 'Bytes of events that wait for clients.', [], () => [
      [{}, [...hub.streams].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)],
    ]);
    this.#counter(
      'tetragon_notify_overflowed_events_total',
      'Events that clients did not get because they did not keep up.',
      [],
      () => [[{}, hub.lost]],
    );
  }

  #addExports(): void {
    const { json, otlp } = this.#context.exports;
    const of = (value: (stats: ExportStats) => number) => (): Sample[] => {
      return json === undefined ? [] : [[{}, value(json.stats)]];
    };
    const counter = (name: string, help: string, value: (stats: ExportStats) => number): void =>
      this.#counter(name, help, [], of(value));
    counter('tetragon_events_exported_total', 'Exported lines.', ({ lines }) => lines);
    counter('tetragon_events_exported_bytes_total', 'Exported bytes.', ({ bytes }) => bytes);
    counter(
      'tetragon_export_ratelimit_events_dropped_total',
      'Events over export-rate-limit.',
      ({ limited }) => limited,
    );
    counter('polytrace_export_lost_events_total', 'Events that the file did not take.', ({ lost }) => lost);
    counter('polytrace_export_failures_total', 'Writes that failed.', ({ failures }) => failures);
    const gauge = (name: string, help: string, value: (stats: ExportStats) => number): void =>
      this.#gauge(name, help, [], of(value));
    gauge('tetragon_events_last_exported_timestamp', 'When an event was exported last.', ({ lastAt }) => lastAt / 1000);
    gauge('polytrace_export_queue_bytes', 'Bytes that wait for the export.', ({ waiting }) => waiting);
    if (otlp === undefined) return;
    const one = (value: (stats: OtlpStats) => number) => (): Sample[] => [[{}, value(otlp.stats)]];
    const sent = (name: string, help: string, value: (stats: OtlpStats) => number): void =>
      this.#counter(name, help, [], one(value));
    sent('polytrace_otlp_sent_total', 'Records that the collector took.', (stats) => stats.sent);
    sent('polytrace_otlp_lost_events_total', 'Events that were not sent.', ({ lost }) => lost);
    sent('polytrace_otlp_failures_total', 'Requests that failed.', ({ failures }) => failures);
    const waits = (name: string, help: string, value: (stats: OtlpStats) => number): void =>
      this.#gauge(name, help, [], one(value));
    waits('polytrace_otlp_queue_bytes', 'Bytes that wait in memory.', ({ waiting }) => waiting);
    waits('polytrace_otlp_spool_bytes', 'Bytes that wait on the disk.', ({ spooled }) => spooled);
  }
}

type HookCount = 'matched' | 'posted' | 'suppressed' | 'enforced' | 'lost';

function namesOf({ name, namespace }: PolicyEntry): Labels {
  return { policy: name, policy_namespace: namespace };
}

function stateOf({ status, error }: PolicyEntry): string {
  if (status === undefined) return 'load_error';
  return error === undefined ? (status.state === 'enabled' ? 'enabled' : 'disabled') : 'error';
}

/** Hooks of the same function are one series. */
function hooksOf(entry: PolicyEntry, key: HookCount): Sample[] {
  const sums = new Map<string, number>();
  for (const hook of entry.status?.hooks ?? []) {
    sums.set(hook.functionName, (sums.get(hook.functionName) ?? 0) + hook[key]);
  }
  return [...sums].map(([hook, value]) => [{ ...namesOf(entry), hook }, value]);
}
