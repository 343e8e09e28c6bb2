/** OpenTelemetry's own exporter of logs, protobuf over HTTP. */
import { readFileSync } from 'node:fs';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Log } from '../log/log.js';
import { recordOf, type Common } from './record.js';

export type Outcome =
  | { readonly kind: 'sent'; readonly unreadable: number }
  /** The collector may take the same lines later. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The collector will never take these lines. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Sends lines. One call at a time. Never rejects. */
export interface Sender {
  send(lines: readonly string[]): Promise<Outcome>;
  close(): Promise<void>;
}

export interface SenderOptions {
  /** URL of the collector, with or without /v1/logs. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** File with certificates of who signed that of the collector. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
  /** Attributes of the agent and its machine. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
}

const TIMEOUT_MS = 5000;
/** What is wrong is in the request itself. */
const REFUSED: ReadonlySet<unknown> = new Set([400, 413, 415, 422]);

/** The packages are loaded only when they are needed. */
export async function openSender(options: SenderOptions, log: Log): Promise<Sender> {
  const { OTLPLogExporter, CompressionAlgorithm } = await loadExporter();
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const warn = (message: string): void => log.warn({ reason: message }, 'OpenTelemetry');
  const silent = (): void => undefined;
  diag.setLogger({ error: warn, warn, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
  const { endpoint, headers, ca, timeoutMs = TIMEOUT_MS, resource, version } = options;
  const exporter = new OTLPLogExporter({
    url: endpoint.endsWith('/v1/logs') ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/logs`,
    headers: { ...headers },
    compression: CompressionAlgorithm.GZIP,
    timeoutMillis: timeoutMs,
    concurrencyLimit: 1,
    ...(ca === undefined ? {} : { httpAgentOptions: { ca: readFileSync(ca), keepAlive: true } }),
  });
  const common: Common = {
    resource: resourceFromAttributes({ 'service.name': 'polytrace-agent', 'service.version': version, ...resource }),
    instrumentationScope: { name: 'polytrace-agent', version },
  };
  return {
    send: async (lines) => {
      const records = lines.flatMap((line) => readable(line, common));
      const unreadable = lines.length - records.length;
      if (records.length === 0) return { kind: 'sent', unreadable };
      const error = await new Promise<Error | undefined>((resolve) => {
        exporter.export(records, ({ code, error: reason }) => {
          resolve(code === SUCCESS ? undefined : (reason ?? new Error('the collector did not answer')));
        });
      });
      if (error === undefined) return { kind: 'sent', unreadable };
      const isRefused = REFUSED.has((error as { readonly code?: unknown }).code);
      return { kind: isRefused ? 'refused' : 'failed', reason: error.message };
    },
    close: () => exporter.shutdown(),
  };
}

/** ExportResultCode.SUCCESS of OpenTelemetry. */
const SUCCESS = 0;

async function loadExporter(): Promise<{
  readonly OTLPLogExporter: typeof import('@opentelemetry/exporter-logs-otlp-proto').OTLPLogExporter;
  readonly CompressionAlgorithm: typeof import('@opentelemetry/otlp-exporter-base').CompressionAlgorithm;
}> {
  const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
  const { CompressionAlgorithm } = await import('@opentelemetry/otlp-exporter-base');
  return { OTLPLogExporter, CompressionAlgorithm };
}

/** A file of the spool may have been damaged. */
function readable(line: string, common: Common): ReadableLogRecord[] {
  try {
    return [recordOf(line, common)];
  } catch {
    return [];
  }
}
