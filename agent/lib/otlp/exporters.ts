/** Opens OpenTelemetry's exporters of a signal: protobuf over HTTP, and over gRPC. */
import { readFileSync } from 'node:fs';
import type { ChannelCredentials } from '@grpc/grpc-js';
import type { OTLPExporterNodeConfigBase } from '@opentelemetry/otlp-exporter-base';
import type { OTLPGRPCExporterConfigNode } from '@opentelemetry/otlp-grpc-exporter-base';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import { omitServerAddress } from 'polytrace/protocol';

export interface ExporterOptions {
  readonly protocol: 'http/protobuf' | 'grpc';
  /** URL of the collector. For HTTP, with or without the path of the signal. With gRPC, `https` means TLS. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** File with the authorities for the certificate of the collector. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
}

type OnExported = Parameters<LogRecordExporter['export']>[1];

export interface Exporter<Items> {
  export(items: Items, done: OnExported): void;
  shutdown(): Promise<void>;
}

/** A kind of data that is exported. Its packages are loaded only when they are needed. */
export interface Signal<Items> {
  /** The path of the signal over HTTP. */
  readonly path: string;
  readonly loadHttp: () => Promise<(config: OTLPExporterNodeConfigBase) => Exporter<Items>>;
  readonly loadGrpc: () => Promise<(config: OTLPGRPCExporterConfigNode) => Exporter<Items>>;
}

interface OpenedExporter<Items> {
  readonly exporter: Exporter<Items>;
  /** Returns true if the error code means that the collector will never accept the request. */
  readonly isRefusal: (code: unknown) => boolean;
}

const TIMEOUT_MS = 5000;
/** Status codes of an invalid request: it would fail again. */
const REFUSAL_CODES: ReadonlySet<unknown> = new Set([400, 413, 415, 422]);

export function openExporter<Items>(options: ExporterOptions, signal: Signal<Items>): Promise<OpenedExporter<Items>> {
  return options.protocol === 'grpc' ? openGrpc(options, signal) : openHttp(options, signal);
}

async function openHttp<Items>(
  { endpoint, headers, ca, timeoutMs = TIMEOUT_MS }: ExporterOptions,
  { path, loadHttp }: Signal<Items>,
): Promise<OpenedExporter<Items>> {
  const createExporter = await loadHttp();
  const { CompressionAlgorithm } = await import('@opentelemetry/otlp-exporter-base');
  const exporter = createExporter({
    url: endpoint.endsWith(`/${path}`) ? endpoint : `${endpoint.replace(/\/$/, '')}/${path}`,
    headers: { ...headers },
    compression: CompressionAlgorithm.GZIP,
    timeoutMillis: timeoutMs,
    concurrencyLimit: 1,
    ...(ca === undefined ? {} : { httpAgentOptions: { ca: readFileSync(ca), keepAlive: true } }),
  });
  return { exporter, isRefusal: (code) => REFUSAL_CODES.has(code) };
}

async function openGrpc<Items>(
  { endpoint, headers, ca, timeoutMs = TIMEOUT_MS }: ExporterOptions,
  { loadGrpc }: Signal<Items>,
): Promise<OpenedExporter<Items>> {
  const createExporter = await loadGrpc();
  const { CompressionAlgorithm } = await import('@opentelemetry/otlp-exporter-base');
  const { credentials, Metadata, status } = await import('@grpc/grpc-js');
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const isTls = endpoint.startsWith('https:');
  const authority = ca === undefined ? null : readFileSync(ca);
  const createSecure = (): ChannelCredentials =>
    omitServerAddress(credentials.createSsl(authority), new URL(endpoint).hostname);
  const connect = (): Exporter<Items> =>
    createExporter({
      url: endpoint,
      metadata,
      // otherwise, the variables OTEL_EXPORTER_OTLP_… would decide
      credentials: isTls ? createSecure() : credentials.createInsecure(),
      compression: CompressionAlgorithm.GZIP,
      timeoutMillis: timeoutMs,
      concurrencyLimit: 1,
      // gRPC shares connections with the same options, and retries a failed one after up to two minutes
      userAgent: `polytrace-agent (connection ${++connections})`,
    });
  return { exporter: new ReconnectingExporter(connect), isRefusal: (code) => code === status.INVALID_ARGUMENT };
}

/** Connections over gRPC that this process has opened. */
let connections = 0;

/** Creates a new exporter after an error, so that the caller decides when to try again. */
class ReconnectingExporter<Items> implements Exporter<Items> {
  readonly #connect: () => Exporter<Items>;
  #exporter: Exporter<Items> | undefined;

  constructor(connect: () => Exporter<Items>) {
    this.#connect = connect;
  }

  export(items: Items, done: OnExported): void {
    const exporter = (this.#exporter ??= this.#connect());
    exporter.export(items, (result) => {
      if (result.error !== undefined) {
        this.#exporter = undefined;
        void exporter.shutdown().catch(() => undefined);
      }
      done(result);
    });
  }

  async shutdown(): Promise<void> {
    await this.#exporter?.shutdown();
  }
}
