/** Sends lines as OpenTelemetry log records. */
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Sender } from '../delivery/delivery.js';
import type { Log } from '../log/log.js';
import { openExporter, type ExporterOptions } from './exporters.js';
import { toLogRecord, type Common } from './record.js';

export interface SenderOptions extends ExporterOptions {
  /** Attributes of the agent and its machine. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
}

/** The packages are loaded only when they are needed. */
export async function openSender(options: SenderOptions, log: Log): Promise<Sender> {
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const warn = (message: string): void => log.warn({ reason: message }, 'OpenTelemetry');
  const silent = (): void => undefined;
  diag.setLogger({ error: warn, warn, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
  const { resource, version } = options;
  const { exporter, isRefusal } = await openExporter(options);
  const common: Common = {
    resource: resourceFromAttributes({ 'service.name': 'polytrace-agent', 'service.version': version, ...resource }),
    instrumentationScope: { name: 'polytrace-agent', version },
  };
  return {
    send: async (lines) => {
      const records = lines.flatMap((line) => toLogRecords(line, common));
      const unreadable = lines.length - records.length;
      if (records.length === 0) return { kind: 'sent', unreadable };
      const error = await new Promise<Error | undefined>((resolve) => {
        exporter.export(records, ({ code, error: reason }) => {
          resolve((code as number) === SUCCESS ? undefined : (reason ?? new Error('the collector did not answer')));
        });
      });
      if (error === undefined) return { kind: 'sent', unreadable };
      return {
        kind: isRefusal((error as { readonly code?: unknown }).code) ? 'refused' : 'failed',
        reason: error.message,
      };
    },
    close: () => exporter.shutdown(),
  };
}

/** ExportResultCode.SUCCESS of OpenTelemetry. */
const SUCCESS = 0;

/** Returns no record for a line that is not JSON: a file of the spool may be damaged. */
function toLogRecords(line: string, common: Common): ReadableLogRecord[] {
  try {
    return [toLogRecord(line, common)];
  } catch {
    return [];
  }
}
