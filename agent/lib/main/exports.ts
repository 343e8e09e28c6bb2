/** The exports of the agent: where events go without a client that asks for them. */
import type { Redactor } from 'polytrace';
import type { Configuration } from '../config/load.js';
import { BadOption } from '../config/problems.js';
import { headersOf, millisecondsOf } from '../config/setting.js';
import { nameOf, type AgentOptions, type SettingKey } from '../config/settings.js';
import { JsonExport, lossOf, sinkOf } from '../export/export.js';
import { eventsIn, ExportLines, lossIn, type AggregationOptions } from '../export/lines.js';
import { redactorOf, shapeOf, type Shape, type Sources } from '../export/shape.js';
import type { Log } from '../log/log.js';
import { OtlpExport } from '../otlp/otlp-export.js';
import { openSender } from '../otlp/sender.js';
import { Spool } from '../otlp/spool.js';
import type { EventHub } from '../streams/hub.js';

interface Prepared {
  readonly redact: Redactor | undefined;
  readonly shape: Shape;
}

/** Checks what filters contain. Throws BadOption. */
export function exportsOf({ options, sources }: Configuration): Prepared {
  const redact = redactorOf(options, sources);
  return { redact, shape: shapeOf(options, sources, redact) };
}

export interface ExportsHost {
  readonly log: Log;
  readonly stdout: NodeJS.WritableStream;
  readonly nodeName: string;
  readonly version: string;
}

const MEBIBYTE = 1024 * 1024;
/** How long the collector may take what waits when the agent ends. */
const CLOSE_MS = 2000;

export class Exports {
  /** Hides parts of arguments, for clients, too. */
  readonly redact: Redactor | undefined;
  readonly json: JsonExport | undefined;
  readonly otlp: OtlpExport | undefined;

  readonly #lines: ExportLines | undefined;

  private constructor(
    { redact, shape }: Prepared,
    json: JsonExport | undefined,
    otlp: OtlpExport | undefined,
    aggregation: AggregationOptions | undefined,
  ) {
    this.redact = redact;
    this.json = json;
    this.otlp = otlp;
    const consumers = [json, otlp].filter((each) => each !== undefined);
    if (consumers.length > 0) this.#lines = new ExportLines(shape, consumers, aggregation);
  }

  /** Throws BadOption. */
  static async open(configuration: Configuration, host: ExportsHost): Promise<Exports> {
    const { options } = configuration;
    const prepared = exportsOf(configuration);
    const { shape } = prepared;
    const sink = sinkOf(options, host.stdout, host.log);
    const json = sink === undefined ? undefined : new JsonExport(options, shape, sink, host.log, host.nodeName);
    return new Exports(prepared, json, await otlpOf(configuration, shape, host), aggregationOf(options));
  }

  start(hub: EventHub): void {
    const lines = this.#lines;
    if (lines !== undefined) hub.listen((batch) => lines.give(batch));
  }

  reopen(): void {
    this.json?.reopen();
  }

  async close(): Promise<void> {
    this.#lines?.close();
    await Promise.all([this.json?.close(), this.otlp?.close(CLOSE_MS)]);
  }
}

function aggregationOf(options: AgentOptions): AggregationOptions | undefined {
  if (!options.enableExportAggregation) return undefined;
  return {
    windowMs: millisecondsOf(options.exportAggregationWindowSize),
    most: options.exportAggregationBufferSize,
    mostBytes: options.eventQueueBytes,
  };
}

async function otlpOf(
  { options, sources }: Configuration,
  { lineOf }: Shape,
  { log, nodeName, version }: ExportsHost,
): Promise<OtlpExport | undefined> {
  const { exportOtlpEndpoint: endpoint, exportOtlpHeaders: headers, exportOtlpTlsCa: ca, clusterName } = options;
  if (endpoint === undefined) return undefined;
  const resource = {
    'host.name': nodeName,
    ...(options.enableK8sApi ? { 'k8s.node.name': nodeName } : {}),
    ...(clusterName === undefined ? {} : { 'k8s.cluster.name': clusterName }),
  };
  const { exportOtlpProtocol: protocol } = options;
  const settings = { protocol, endpoint, headers: headersOf(headers ?? ''), ca, resource, version };
  const sender = await named('exportOtlpTlsCa', sources, () => openSender(settings, log));
  const { exportOtlpSpoolDir: folder, exportOtlpSpoolMaxSizeMb: most } = options;
  const spool =
    folder === undefined
      ? undefined
      : await named('exportOtlpSpoolDir', sources, () => Spool.open(folder, most * MEBIBYTE));
  const lossLine = (count: number): string => lineOf(lossOf(count, nodeName, 'otlp'));
  return new OtlpExport({ sender, spool, mostBytes: options.eventQueueBytes, eventsIn, lossIn, lossLine, log });
}

/** Names the setting whose file or folder cannot be used. */
async function named<T>(key: SettingKey, sources: Sources, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new BadOption([{ code: 'CONFIG_VALUE', place: sources[key], message: `${nameOf(key)}: ${error.message}` }]);
  }
}
