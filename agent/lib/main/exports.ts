/** The exports of the agent: where events go without a client that asks for them. */
import type { Redactor } from 'polytrace';
import type { Configuration } from '../config/load.js';
import { BadOption } from '../config/problems.js';
import { headersOf } from '../config/setting.js';
import { nameOf, type SettingKey } from '../config/settings.js';
import { JsonExport, lossOf, sinkOf } from '../export/export.js';
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

  private constructor(redact: Redactor | undefined, json: JsonExport | undefined, otlp: OtlpExport | undefined) {
    this.redact = redact;
    this.json = json;
    this.otlp = otlp;
  }

  /** Throws BadOption. */
  static async open(configuration: Configuration, host: ExportsHost): Promise<Exports> {
    const { options } = configuration;
    const { redact, shape } = exportsOf(configuration);
    const sink = sinkOf(options, host.stdout, host.log);
    const json = sink === undefined ? undefined : new JsonExport(options, shape, sink, host.log, host.nodeName);
    return new Exports(redact, json, await otlpOf(configuration, shape, host));
  }

  start(hub: EventHub): void {
    const { json, otlp } = this;
    if (json !== undefined) hub.listen((batch) => json.give(batch));
    if (otlp !== undefined) hub.listen((batch) => otlp.give(batch));
  }

  reopen(): void {
    this.json?.reopen();
  }

  async close(): Promise<void> {
    await Promise.all([this.json?.close(), this.otlp?.close(CLOSE_MS)]);
  }
}

async function otlpOf(
  { options, sources }: Configuration,
  { wants, lineOf }: Shape,
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
  return new OtlpExport({ sender, spool, mostBytes: options.eventQueueBytes, wants, lineOf, lossLine, log });
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
