/** The signals of OpenTelemetry that the agent exports. */
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Signal } from './exporters.js';

export const LOGS: Signal<ReadableLogRecord[]> = {
  path: 'v1/logs',
  loadHttp: async () => {
    const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
    return (config) => new OTLPLogExporter(config);
  },
  loadGrpc: async () => {
    const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-grpc');
    return (config) => new OTLPLogExporter(config);
  },
};

/** OpenTelemetry's own encoder has numbers of JavaScript, which are not exact. The request is encoded already. */
const ENCODED = {
  serializeRequest: (request: Uint8Array): Uint8Array => request,
  // an answer with more than an empty message says that points were refused, which is then logged
  deserializeResponse: (answer: Uint8Array): object =>
    answer.length <= 2
      ? {}
      : {
          partialSuccess: Buffer.from(answer)
            .toString()
            .replace(/[^\x20-\x7e]+/g, ' '),
        },
};
const ONE_REQUEST = { name: 'metric_data_point', countItems: (): number => 1 } as const;

export const METRICS: Signal<Uint8Array> = {
  path: 'v1/metrics',
  loadHttp: async () => {
    const { OTLPExporterBase } = await import('@opentelemetry/otlp-exporter-base');
    const { convertLegacyHttpOptions, createOtlpHttpExportDelegate } =
      await import('@opentelemetry/otlp-exporter-base/node-http');
    return (config) => {
      const headers = { 'Content-Type': 'application/x-protobuf' };
      const options = convertLegacyHttpOptions(config, 'METRICS', 'v1/metrics', headers);
      return new OTLPExporterBase(
        createOtlpHttpExportDelegate(options, ENCODED, 'otlp_http_metric_exporter', ONE_REQUEST, undefined),
      );
    };
  },
  loadGrpc: async () => {
    const { OTLPExporterBase } = await import('@opentelemetry/otlp-exporter-base');
    const { convertLegacyOtlpGrpcOptions, createOtlpGrpcExportDelegate } =
      await import('@opentelemetry/otlp-grpc-exporter-base');
    const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
    return (config) =>
      new OTLPExporterBase(
        createOtlpGrpcExportDelegate(
          convertLegacyOtlpGrpcOptions(config, 'METRICS'),
          ENCODED,
          'otlp_grpc_metric_exporter',
          ONE_REQUEST,
          undefined,
          'MetricsExportService',
          path,
        ),
      );
  },
};
