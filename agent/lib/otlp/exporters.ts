/** Opens OpenTelemetry's log exporters: protobuf over HTTP, and over gRPC. */
import { readFileSync } from 'node:fs';
import type { ChannelCredentials } from '@grpc/grpc-js';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import { omitServerAddress } from 'polytrace/protocol';

export interface ExporterOptions {
  readonly protocol: 'http/protobuf' | 'grpc';
  /** URL of the collector. For HTTP, with or without /v1/logs. With gRPC, `https` means TLS. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** File with the authorities for the certificate of the collector. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
}

type OpenExporter = Pick<LogRecordExporter, 'export' | 'shutdown'>;

interface OpenedExporter {
  readonly exporter: OpenExporter;
  /** Returns true if the error code means that the collector will never accept the request. */
  readonly isRefusal: (code: unknown) => boolean;
}

const TIMEOUT_MS = 5000;
/** Status codes of an invalid request: it would fail again. */
const REFUSAL_CODES: ReadonlySet<unknown> = new Set([400, 413, 415, 422]);

/** The packages are loaded only when they are needed. */
export function openExporter(options: ExporterOptions): Promise<OpenedExporter> {
  return options.protocol === 'grpc' ? openGrpc(options) : openHttp(options);
}

async function openHttp({ endpoint, headers, ca, timeoutMs = TIMEOUT_MS }: ExporterOptions): Promise<OpenedExporter> {
  const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
  const { CompressionAlgorithm } = await import('@opentelemetry/otlp-exporter-base');
  const exporter = new OTLPLogExporter({
    url: endpoint.endsWith('/v1/logs') ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/logs`,
    headers: { ...headers },
    compression: CompressionAlgorithm.GZIP,
    timeoutMillis: timeoutMs,
    concurrencyLimit: 1,
    ...(ca === undefined ? {} : { httpAgentOptions: { ca: readFileSync(ca), keepAlive: true } }),
  });
  return { exporter, isRefusal: (code) => REFUSAL_CODES.has(code) };
}

async function openGrpc({ endpoint, headers, ca, timeoutMs = TIMEOUT_MS }: ExporterOptions): Promise<OpenedExporter> {
  const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-grpc');
  const { CompressionAlgorithm } = await import('@opentelemetry/otlp-exporter-base');
  const { credentials, Metadata, status } = await import('@grpc/grpc-js');
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const isTls = endpoint.startsWith('https:');
  const authority = ca === undefined ? null : readFileSync(ca);
  const createSecure = (): ChannelCredentials =>
    omitServerAddress(credentials.createSsl(authority), new URL(endpoint).hostname);
  let connections = 0;
  const connect = (): OpenExporter =>
    new OTLPLogExporter({
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

/** Creates a new exporter after an error, so that the caller decides when to try again. */
class ReconnectingExporter implements OpenExporter {
  readonly #connect: () => OpenExporter;
  #exporter: OpenExporter | undefined;

  constructor(connect: () => OpenExporter) {
    this.#connect = connect;
  }

  export(...[records, done]: Parameters<OpenExporter['export']>): void {
    const exporter = (this.#exporter ??= this.#connect());
    exporter.export(records, (result) => {
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
