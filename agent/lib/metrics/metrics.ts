/**
 * The metrics of the agent, for Prometheus. A metric with the meaning of one of Tetragon has its name. Most values
 * are read when the metrics are requested. Only events are counted as they arrive.
 */
import { readdir, stat } from 'node:fs/promises';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Tracer, TracerStats } from 'polytrace';
import type { AgentOptions } from '../config/settings.js';
import type { ExportStats } from '../export/export.js';
import type { DeliveryStats } from '../delivery/delivery.js';
import type { PolicyEntry, PolicyStore } from '../policies/store.js';
import type { EventHub } from '../streams/hub.js';
import { EventCounts } from './event-counts.js';
import { formatLabels, MetricFormatter, type LabelText, type Sample } from './live-metrics.js';
import { PolicyLines, policyState } from './policy-lines.js';

/** The members of the export's statistics that are shown. */
interface MetricsExportStats {
  readonly sent: number;
  readonly failures: number;
  readonly missed: number;
  readonly isFailing: boolean;
}

interface MetricsContext {
  readonly tracer: Pick<Tracer, 'stats'>;
  readonly store: PolicyStore;
  readonly hub: EventHub;
  /** The numbers that policies count. */
  readonly counts: { read(): Promise<readonly Buffer[]> };
  readonly version: string;
  readonly exports: {
    readonly json: { readonly stats: ExportStats } | undefined;
    readonly otlp: { readonly stats: DeliveryStats } | undefined;
    readonly fleet?:
      { readonly stats: DeliveryStats & { readonly lostByReason: ReadonlyMap<string, number> } } | undefined;
    readonly metrics: { readonly stats: MetricsExportStats } | undefined;
  };
  /** Absent if the agent is in no fleet. Returns the node of the fleet when it is open. */
  readonly fleet?: (() => FleetView | undefined) | undefined;
  readonly alerts: {
    readonly counts: ReadonlyMap<string, number>;
    readonly events: number;
    readonly stats: readonly (DeliveryStats & { readonly name: string })[];
  };
}

/** What the metrics show of a fleet. */
interface FleetView {
  readonly sequence: number;
  readonly refused: ReadonlyMap<string, number>;
  readonly policies: Readonly<
    Record<
      string,
      { readonly wanted: number; readonly loaded: number; readonly error?: string; readonly enforced: number }
    >
  >;
  /** The newest reports of all nodes. Empty without the key of a controller. */
  readonly nodes: readonly {
    readonly node: string;
    readonly kernel: string;
    readonly events: number;
    readonly lost: number;
    readonly rate: number;
    readonly policies: Readonly<Record<string, { readonly error?: string }>>;
  }[];
}

/** How often the delay of the event loop is measured. Each time wakes the process. */
const LAG_PRECISION_MS = 20;

export class Metrics {
  /** The metrics of the process itself. */
  readonly #registry = new Registry();
  readonly #metrics: { readonly format: () => string | Buffer }[] = [];
  readonly #counts: EventCounts;
  readonly #context: MetricsContext;
  /** The values of one request. */
  #stats: TracerStats;
  #policies: readonly PolicyEntry[] = [];
  readonly #lines = new PolicyLines();
  #reading: Promise<readonly Buffer[]> | undefined;

  constructor({ metricsLabelFilter }: Pick<AgentOptions, 'metricsLabelFilter'>, context: MetricsContext) {
    this.#counts = new EventCounts(metricsLabelFilter);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_PRECISION_MS });
    this.#replaceOpenFiles();
    this.#context = context;
    this.#stats = context.tracer.stats();
    this.#addEvents();
    this.#addLosses();
    this.#addPolicies();
    this.#addClients();
    this.#addExports();
    this.#addFleet();
    this.#addFleetPolicies();
    this.#addFleetNodes();
    this.#addMetricsExport();
    this.#addAlerts();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Resolves with the parts of the text. Requests at the same time share one result. */
  read(): Promise<readonly Buffer[]> {
    if (this.#reading !== undefined) return this.#reading;
    const { tracer, store } = this.#context;
    this.#stats = tracer.stats();
    this.#policies = store.list();
    this.#lines.update(this.#policies);
    this.#reading = this.#format().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #format(): Promise<readonly Buffer[]> {
    const own = this.#metrics.map((metric) => metric.format());
    const [usual, counts] = await Promise.all([this.#registry.metrics(), this.#context.counts.read()]);
    return joinParts([usual, ...own, ...counts]);
  }

  /** prom-client lists all files on this thread, and a thousand policies have thousands of them. */
  #replaceOpenFiles(): void {
    const name = 'process_open_fds';
    this.#registry.removeSingleMetric(name);
    const registers = [this.#registry];
    const collect = async function (this: Gauge): Promise<void> {
      this.set(await countOpenFiles());
    };
    new Gauge({ name, help: 'Number of open file descriptors.', registers, collect });
  }

  #addCounter(name: string, help: string, samples: () => Iterable<Sample>): void {
    this.#metrics.push(new MetricFormatter({ type: 'counter', name, help, samples }));
  }

  #addGauge(name: string, help: string, samples: () => Iterable<Sample>): void {
    this.#metrics.push(new MetricFormatter({ type: 'gauge', name, help, samples }));
  }

  #addEvents(): void {
    const { hub, version } = this.#context;
    const counts = this.#counts;
    hub.listen((batch) => counts.add(batch));
    this.#addCounter('tetragon_events_total', 'Events by type.', () => counts.readByType());
    this.#addCounter('tetragon_policy_events_total', 'Events of policies.', () => counts.readByPolicy());
    this.#addGauge('tetragon_process_cache_size', 'Processes in the cache.', () => [
      [NO_LABELS, this.#stats.processes],
    ]);
    this.#addCounter('polytrace_shortened_arguments_total', 'Execs with shortened arguments.', () => [
      [NO_LABELS, this.#stats.shortenedArguments],
    ]);
    this.#addGauge('polytrace_build_info', 'Version of the agent.', () => [[formatLabels({ version }), 1]]);
    this.#addGauge('polytrace_containers', 'Containers by state.', () =>
      Object.entries(this.#stats.containers ?? {}).map(([state, value]) => [formatLabels({ state }), value]),
    );
  }

  #addLosses(): void {
    const addCounter = (name: string, help: string, value: () => number): void => {
      this.#addCounter(name, help, () => [[NO_LABELS, value()]]);
    };
    addCounter(
      'tetragon_observer_ringbuf_events_received_total',
      'Events that were read and reported.',
      () => this.#stats.events,
    );
    addCounter('tetragon_observer_ringbuf_events_lost_total', 'Records that were lost.', () => this.#stats.lost);
    this.#addCounter('polytrace_lost_records_total', 'Lost records by hook and reason.', () =>
      this.#stats.lostByHook.map(({ hook, policyName: policy, reason, count }) => [
        formatLabels({ hook, policy, reason }),
        count,
      ]),
    );
    this.#addGauge('polytrace_ring_buffer_size_bytes', 'Size of the ring buffer.', () => [
      [NO_LABELS, this.#stats.bufferSize],
    ]);
    this.#addGauge('polytrace_ring_buffer_used_bytes', 'Unread bytes of the ring buffer.', () => [
      [NO_LABELS, this.#stats.bufferUsed],
    ]);
  }

  #addPolicies(): void {
    const { store } = this.#context;
    this.#addGauge('tetragon_tracingpolicy_loaded', 'Policies by state.', () => {
      const states = this.#policies.map(policyState);
      const all = ['enabled', 'disabled', 'load_error', 'error'];
      return all.map((state) => [formatLabels({ state }), states.filter((each) => each === state).length]);
    });
    this.#metrics.push(...this.#lines.metrics);
    this.#addGauge('polytrace_policy_errors', 'Files and resources whose policy could not be loaded.', () => [
      [NO_LABELS, store.failedCount],
    ]);
    this.#addGauge('polytrace_unreadable_policy_paths', 'Files and folders with policies that cannot be read.', () => [
      [NO_LABELS, store.unreadableCount],
    ]);
    this.#addGauge('polytrace_degraded', '1 while not all policies are as wanted.', () => [
      [NO_LABELS, Number(store.isDegraded)],
    ]);
  }

  #addClients(): void {
    const { hub } = this.#context;
    this.#addGauge('polytrace_clients', 'Clients that read events.', () => [[NO_LABELS, hub.streams.size]]);
    this.#addGauge('polytrace_client_queue_bytes', 'Bytes of events that wait for clients.', () => [
      [NO_LABELS, [...hub.streams].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)],
    ]);
    this.#addCounter(
      'tetragon_notify_overflowed_events_total',
      'Events that clients did not get because they did not keep up.',
      () => [[NO_LABELS, hub.lostCount]],
    );
  }

  #addExports(): void {
    const { json, otlp } = this.#context.exports;
    const toSamples = (value: (stats: ExportStats) => number) => (): Sample[] => {
      return json === undefined ? [] : [[NO_LABELS, value(json.stats)]];
    };
    const addCounter = (name: string, help: string, value: (stats: ExportStats) => number): void =>
      this.#addCounter(name, help, toSamples(value));
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
      this.#addGauge(name, help, toSamples(value));
    addGauge(
      'tetragon_events_last_exported_timestamp',
      'When an event was exported last.',
      ({ lastAt }) => lastAt / 1000,
    );
    addGauge('polytrace_export_queue_bytes', 'Bytes that wait for the export.', ({ waiting }) => waiting);
    if (otlp === undefined) return;
    const otlpSamples = (value: (stats: DeliveryStats) => number) => (): Sample[] => [[NO_LABELS, value(otlp.stats)]];
    const addOtlpCounter = (name: string, help: string, value: (stats: DeliveryStats) => number): void =>
      this.#addCounter(name, help, otlpSamples(value));
    addOtlpCounter('polytrace_otlp_sent_total', 'Records that the collector took.', (stats) => stats.sent);
    addOtlpCounter('polytrace_otlp_lost_events_total', 'Events that were not sent.', ({ lost }) => lost);
    addOtlpCounter('polytrace_otlp_failures_total', 'Requests that failed.', ({ failures }) => failures);
    const addOtlpGauge = (name: string, help: string, value: (stats: DeliveryStats) => number): void =>
      this.#addGauge(name, help, otlpSamples(value));
    addOtlpGauge('polytrace_otlp_queue_bytes', 'Bytes that wait in memory.', ({ waiting }) => waiting);
    addOtlpGauge('polytrace_otlp_spool_bytes', 'Bytes that wait on the disk.', ({ spooled }) => spooled);
  }

  #addFleet(): void {
    const { fleet } = this.#context.exports;
    if (fleet === undefined) return;
    const samples = (value: (stats: DeliveryStats) => number) => (): Sample[] => [[NO_LABELS, value(fleet.stats)]];
    this.#addCounter(
      'polytrace_fleet_sent_total',
      'Events that the fleet has stored.',
      samples(({ sent }) => sent),
    );
    this.#addCounter('polytrace_fleet_lost_events_total', 'Events that were lost on their way to the fleet.', () =>
      [...fleet.stats.lostByReason].map(([reason, count]) => [formatLabels({ reason }), count]),
    );
    const failures = samples((stats) => stats.failures);
    this.#addCounter('polytrace_fleet_failures_total', 'Batches that the fleet did not take.', failures);
    const isFailing = samples((stats) => Number(stats.isFailing));
    this.#addGauge('polytrace_fleet_failing', '1 while the fleet takes no events.', isFailing);
    this.#addGauge(
      'polytrace_fleet_queue_bytes',
      'Bytes that wait in memory.',
      samples(({ waiting }) => waiting),
    );
    this.#addGauge(
      'polytrace_fleet_spool_bytes',
      'Bytes that wait on the disk.',
      samples(({ spooled }) => spooled),
    );
  }

  #addFleetPolicies(): void {
    const { fleet } = this.#context;
    if (fleet === undefined) return;
    const samples = (value: (report: FleetView['policies'][string]) => number) => (): Sample[] =>
      Object.entries(fleet()?.policies ?? {}).map(([policy, report]) => [formatLabels({ policy }), value(report)]);
    const add = (name: string, help: string, value: (report: FleetView['policies'][string]) => number): void =>
      this.#addGauge(name, help, samples(value));
    add('polytrace_fleet_policy_wanted_version', 'The version that this node has to load.', ({ wanted }) => wanted);
    add('polytrace_fleet_policy_loaded_version', 'The version that is loaded; 0 is none.', ({ loaded }) => loaded);
    add('polytrace_fleet_policy_failed', '1 if the wanted version is not loaded.', ({ error }) =>
      Number(error !== undefined),
    );
    this.#addGauge('polytrace_fleet_list_sequence', 'Number of the signed list of versions.', () => [
      [NO_LABELS, fleet()?.sequence ?? 0],
    ]);
    this.#addCounter('polytrace_fleet_refused_total', 'Records of the fleet that were refused.', () =>
      Array.from(fleet()?.refused ?? [], ([code, count]) => [formatLabels({ code }), count]),
    );
  }

  /** One Prometheus can read the whole fleet from an agent with the key of a controller. */
  #addFleetNodes(): void {
    const { fleet } = this.#context;
    if (fleet === undefined) return;
    const samples = (value: (report: FleetView['nodes'][number]) => number) => (): Sample[] =>
      (fleet()?.nodes ?? []).map((report) => [formatLabels({ node: report.node }), value(report)]);
    this.#addGauge('polytrace_fleet_node_info', '1 for each node of the fleet that reports.', () =>
      (fleet()?.nodes ?? []).map(({ node, kernel }) => [formatLabels({ node, kernel }), 1]),
    );
    this.#addGauge(
      'polytrace_fleet_node_events',
      'Events that the node has reported since its agent started.',
      samples(({ events }) => events),
    );
    this.#addGauge(
      'polytrace_fleet_node_event_rate',
      'Events of the node in a second.',
      samples(({ rate }) => rate),
    );
    this.#addGauge(
      'polytrace_fleet_node_lost',
      'Events that the node has lost since its agent started.',
      samples(({ lost }) => lost),
    );
    this.#addGauge(
      'polytrace_fleet_node_failed_policies',
      'Policies of the fleet that the node could not load.',
      samples(({ policies }) => Object.values(policies).filter(({ error }) => error !== undefined).length),
    );
  }

  #addMetricsExport(): void {
    const { metrics } = this.#context.exports;
    if (metrics === undefined) return;
    const toSamples = (value: (stats: MetricsExportStats) => number) => (): Sample[] => [
      [NO_LABELS, value(metrics.stats)],
    ];
    const addCounter = (name: string, help: string, value: (stats: MetricsExportStats) => number): void =>
      this.#addCounter(name, help, toSamples(value));
    addCounter('polytrace_metrics_otlp_sent_total', 'Values that the collector took.', ({ sent }) => sent);
    addCounter('polytrace_metrics_otlp_failures_total', 'Requests that failed.', ({ failures }) => failures);
    addCounter('polytrace_metrics_otlp_missed_total', 'Intervals whose values came late.', ({ missed }) => missed);
    const isFailing = toSamples((stats) => Number(stats.isFailing));
    this.#addGauge('polytrace_metrics_otlp_failing', '1 while the collector takes no metrics.', isFailing);
  }

  #addAlerts(): void {
    const { alerts } = this.#context;
    this.#addCounter('polytrace_alerts_total', 'Alerts by severity.', () => {
      return Array.from(alerts.counts, ([severity, count]) => [formatLabels({ severity }), count]);
    });
    this.#addCounter('polytrace_alert_events_total', 'Events that are in alerts.', () => [[NO_LABELS, alerts.events]]);
    const toSamples = (value: (stats: DeliveryStats) => number) => (): Sample[] => {
      return alerts.stats.map((stats) => [formatLabels({ receiver: stats.name }), value(stats)]);
    };
    const addCounter = (name: string, help: string, value: (stats: DeliveryStats) => number): void =>
      this.#addCounter(name, help, toSamples(value));
    addCounter('polytrace_alerts_sent_total', 'Alerts that a receiver took.', ({ sent }) => sent);
    addCounter('polytrace_alerts_failures_total', 'Alerts that a receiver did not take.', ({ failures }) => failures);
    addCounter('polytrace_alerts_lost_total', 'Alerts that a receiver did not get.', ({ lost }) => lost);
    const addGauge = (name: string, help: string, value: (stats: DeliveryStats) => number): void =>
      this.#addGauge(name, help, toSamples(value));
    addGauge('polytrace_alerts_queue_bytes', 'Bytes of alerts in memory.', ({ waiting }) => waiting);
    addGauge('polytrace_alerts_spool_bytes', 'Bytes of alerts on the disk.', ({ spooled }) => spooled);
    addGauge('polytrace_alerts_failing', '1 while a receiver takes no alerts.', ({ isFailing }) => Number(isFailing));
  }
}

/** Leaves an empty line after each text, and copies no part that is ready. */
function joinParts(texts: readonly (string | Buffer)[]): Buffer[] {
  const parts: Buffer[] = [];
  let text = '';
  for (const each of texts) {
    if (typeof each === 'string') {
      text += `${each}\n`;
      continue;
    }
    parts.push(Buffer.from(text), each);
    text = '\n';
  }
  return [...parts, Buffer.from(text)];
}

/** Since Linux 6.2, the size of the folder is the number of its files. */
async function countOpenFiles(): Promise<number> {
  const folder = '/proc/self/fd';
  return (await stat(folder)).size || (await readdir(folder)).length;
}

const NO_LABELS: LabelText = '';
