/** Sends lines as OpenTelemetry log records. */
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Sender } from '../delivery/delivery.js';
import type { Log } from '../log/log.js';
import { openExporter, type ExporterOptions } from './exporters.js';
import { routeDiagnostics } from './diagnostics.js';
import { toLogRecord, type Common } from './record.js';
import { LOGS } from './signals.js';

export interface SenderOptions extends ExporterOptions {
  /** Attributes of the agent and its machine. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
}

/** The packages are loaded only when they are needed. */
export async function openSender(options: SenderOptions, log: Log): Promise<Sender> {
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  await routeDiagnostics(log);
  const { resource, version } = options;
  const { exporter, isRefusal } = await openExporter(options, LOGS);
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
