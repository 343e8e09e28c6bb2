/** Sets up the exports of the agent, which send events without a request of a client. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Redactor } from 'polytrace';
import type { Configuration } from '../config/load.js';
import { parseHeaders, parseDuration } from '../config/setting-kinds.js';
import type { AgentOptions } from '../config/settings.js';
import { JsonExport, createLossEvent, openSink } from '../export/export.js';
import { countEvents, ExportLines, reportedLoss, type AggregationOptions } from '../export/lines.js';
import { createRedactor, createExportFormat, type ExportFormat } from '../export/format.js';
import { Rotation } from '../export/rotation.js';
import type { Sink } from '../export/sink.js';
import type { FleetExport } from '../fleet/events/fleet-export.js';
import type { Log } from '../log/log.js';
import { Delivery } from '../delivery/delivery.js';
import { MetricsExport } from '../otlp/metrics-export.js';
import { openSender } from '../otlp/sender.js';
import { Spool } from '../delivery/spool.js';
import { openForSetting } from './open-for-setting.js';
import type { EventHub } from '../streams/hub.js';

interface PreparedExports {
  readonly redact: Redactor | undefined;
  readonly format: ExportFormat;
}

/** Checks the filters of the configuration. Throws ConfigError. */
export function prepareExports({ options, sources }: Configuration): PreparedExports {
  const redact = createRedactor(options, sources);
  return { redact, format: createExportFormat(options, sources, redact) };
}

export interface ExportsHost {
  readonly log: Log;
  readonly stdout: NodeJS.WritableStream;
  readonly nodeName: string;
  readonly version: string;
}

const MEBIBYTE = 1024 * 1024;
/** Time for the collector to receive the remaining events when the agent stops. */
const CLOSE_MS = 2000;
/** How often a queue is looked at, and how long it may stand still. */
const ROOM_CHECK_MS = 5;
const STILL_MS = 1000;

export class Exports {
  /** Redacts arguments, also for clients. */
  readonly redact: Redactor | undefined;
  readonly json: JsonExport | undefined;
  readonly otlp: Delivery | undefined;
  readonly fleet: FleetExport | undefined;
  /** Exports the numbers that policies count. */
  readonly metrics: MetricsExport | undefined;
  /** Undefined if there is no file to rotate. */
  readonly rotation: Rotation | undefined;

  readonly #lines: ExportLines | undefined;
  readonly #roomBytes: number;
  /** A file or collector does not take events. Nothing waits for it any more. */
  #isStill = false;

  private constructor(
    { redact, format }: PreparedExports,
    json: JsonExport | undefined,
    otlp: Delivery | undefined,
    fleet: FleetExport | undefined,
    metrics: MetricsExport | undefined,
    options: AgentOptions,
    sink: Sink | undefined,
  ) {
    this.metrics = metrics;
    this.redact = redact;
    this.json = json;
    this.otlp = otlp;
    this.fleet = fleet;
    this.#roomBytes = options.eventQueueBytes / 2;
    const consumers = [json, otlp, fleet].filter((each) => each !== undefined);
    if (consumers.length > 0) this.#lines = new ExportLines(format, consumers, aggregationOptions(options));
    if (sink?.setRotation !== undefined) this.rotation = new Rotation(options, sink);
  }

  /** Throws ConfigError. */
  static async open(configuration: Configuration, host: ExportsHost): Promise<Exports> {
    const { options } = configuration;
    const prepared = prepareExports(configuration);
    const { format } = prepared;
    const { sources } = configuration;
    const sink = await openForSetting('exportChainDir', sources, () => openSink(options, host.stdout, host.log));
    const json = sink === undefined ? undefined : new JsonExport(options, format, sink, host.log, host.nodeName);
    const otlp = await openOtlpExport(configuration, format, host);
    const fleet = await loadFleetExport(configuration, format, host);
    return new Exports(prepared, json, otlp, fleet, await openMetricsExport(configuration, host), options, sink);
  }

  start(hub: EventHub): void {
    const lines = this.#lines;
    if (lines !== undefined) hub.listen((batch) => lines.add(batch));
  }

  /**
   * Resolves when the queues are half empty, so that a burst of old events loses none. A queue that fails, or that
   * stands still for a second, is not waited for.
   */
  async waitForRoom(): Promise<void> {
    let [least, since] = [Infinity, performance.now()];
    for (let waiting; (waiting = this.#waitingBytes()) > 0 && !this.#isStill; await wait(ROOM_CHECK_MS)) {
      if (waiting < least) [least, since] = [waiting, performance.now()];
      this.#isStill = performance.now() - since > STILL_MS;
    }
  }

  /** Bytes in queues that are more than half full. */
  #waitingBytes(): number {
    let bytes = 0;
    for (const stats of [this.json?.stats, this.otlp?.stats, this.fleet?.stats]) {
      if (stats?.isFailing === false && stats.waiting > this.#roomBytes) bytes += stats.waiting;
    }
    return bytes;
  }

  reopen(): void {
    this.json?.reopen();
  }

  /** Exports the last numbers that policies have counted. Must be called before the tracer is closed. */
  async closeMetrics(): Promise<void> {
    await this.metrics?.close(CLOSE_MS);
  }

  async close(): Promise<void> {
    await this.closeMetrics();
    this.#lines?.close();
    await Promise.all([this.json?.close(), this.otlp?.close(CLOSE_MS), this.fleet?.close(CLOSE_MS)]);
    await this.fleet?.connection.close();
  }
}

function aggregationOptions(options: AgentOptions): AggregationOptions | undefined {
  if (!options.enableExportAggregation) return undefined;
  return {
    windowMs: parseDuration(options.exportAggregationWindowSize),
    maxMessages: options.exportAggregationBufferSize,
    maxBytes: options.eventQueueBytes,
  };
}

/** Loads the client of NATS only for an agent of a fleet. */
async function loadFleetExport(
  configuration: Configuration,
  format: ExportFormat,
  host: ExportsHost,
): Promise<FleetExport | undefined> {
  if (configuration.options.fleet.length === 0) return undefined;
  const { openFleetExport } = await import('./fleet-export.js');
  return openFleetExport(configuration, format, host);
}

async function openOtlpExport(
  { options, sources }: Configuration,
  { formatLine }: ExportFormat,
  { log, nodeName, version }: ExportsHost,
): Promise<Delivery | undefined> {
  const { exportOtlpEndpoint: endpoint, exportOtlpHeaders: headers, exportOtlpTlsCa: ca } = options;
  if (endpoint === undefined) return undefined;
  const resource = resourceAttributes(options, nodeName);
  const { exportOtlpProtocol: protocol } = options;
  const settings = { protocol, endpoint, headers: parseHeaders(headers ?? ''), ca, resource, version };
  const sender = await openForSetting('exportOtlpTlsCa', sources, () => openSender(settings, log));
  const { exportOtlpSpoolDir: folder, exportOtlpSpoolMaxSizeMb: maxMebibytes } = options;
  const spool =
    folder === undefined
      ? undefined
      : await openForSetting('exportOtlpSpoolDir', sources, () =>
          Spool.open(folder, maxMebibytes * MEBIBYTE, sumEvents),
        );
  const formatLoss = (count: number): string => formatLine(createLossEvent(count, nodeName, 'otlp'));
  return new Delivery({
    sender,
    spool,
    maxBytes: options.eventQueueBytes,
    countEvents,
    reportedLoss,
    formatLoss,
    log,
  });
}

async function openMetricsExport(
  { options, sources }: Configuration,
  { log, nodeName, version }: ExportsHost,
): Promise<MetricsExport | undefined> {
  const { metricsOtlpEndpoint: endpoint, metricsOtlpHeaders: headers, metricsOtlpTlsCa: ca } = options;
  if (endpoint === undefined) return undefined;
  const settings = {
    protocol: options.metricsOtlpProtocol,
    endpoint,
    headers: parseHeaders(headers ?? ''),
    ca,
    intervalMs: parseDuration(options.metricsOtlpInterval),
    resource: resourceAttributes(options, nodeName),
    version,
  };
  return openForSetting('metricsOtlpTlsCa', sources, () => MetricsExport.open(settings, log));
}

/** The attributes of this machine. */
function resourceAttributes({ enableK8sApi, clusterName }: AgentOptions, nodeName: string): Record<string, string> {
  return {
    'host.name': nodeName,
    ...(enableK8sApi ? { 'k8s.node.name': nodeName } : {}),
    ...(clusterName === undefined ? {} : { 'k8s.cluster.name': clusterName }),
  };
}

/** A report of a loss is no event. */
function sumEvents(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + (reportedLoss(line) === undefined ? countEvents(line) : 0), 0);
}
