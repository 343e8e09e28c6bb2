/** OpenTelemetry collectors for tests, over HTTP and gRPC. They decode the official protobuf. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
// OpenTelemetry's generated code for its official protobuf
import * as decoder from 'otlp-decoder/build/src/generated/root.js';

interface Value {
  readonly stringValue?: string;
  readonly intValue?: { toNumber(): number } | number;
}
interface Attribute {
  readonly key: string;
  readonly value: Value;
}
export interface LogRecord {
  readonly timeUnixNano: { toString(): string };
  readonly severityText: string;
  readonly body: Value;
  readonly attributes: readonly Attribute[];
}
interface Request {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[];
  }[];
}

type Long = { toString(): string } | number;
export interface DataPoint {
  readonly attributes: readonly Attribute[];
  readonly startTimeUnixNano: Long;
  readonly timeUnixNano: Long;
  readonly asInt?: Long;
  readonly asDouble?: number;
  readonly count?: Long;
  readonly sum?: number;
  readonly bucketCounts?: readonly Long[];
  readonly explicitBounds?: readonly number[];
}
interface Data {
  readonly dataPoints: readonly DataPoint[];
  readonly aggregationTemporality: number;
  readonly isMonotonic?: boolean;
}
export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: Data | null;
  readonly histogram?: Data | null;
}
interface MetricsRequest {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeMetrics: readonly { readonly metrics: readonly ReceivedMetric[] }[];
  }[];
}
interface Decoder<T> {
  decode(bytes: Uint8Array): T;
}
const { logs, metrics } = (
  decoder as unknown as {
    opentelemetry: {
      proto: {
        collector: {
          logs: { v1: { ExportLogsServiceRequest: Decoder<Request> } };
          metrics: { v1: { ExportMetricsServiceRequest: Decoder<MetricsRequest> } };
        };
      };
    };
  }
).opentelemetry.proto.collector;
const { ExportLogsServiceRequest } = logs.v1;
const { ExportMetricsServiceRequest } = metrics.v1;

export function toPlainAttributes(attributes: readonly Attribute[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue } }) => [key, stringValue ?? Number(intValue)]),
  );
}

type Signal = 'logs' | 'metrics';
export type Protocol = 'http/protobuf' | 'grpc';

/** The certificate of a collector, and its key. */
export interface CollectorTls {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A collector that can be stopped and started again on the same port. */
export abstract class Collector {
  protected readonly tls: CollectorTls | undefined;
  abstract readonly protocol: Protocol;
  readonly requests: Request[] = [];
  readonly metricRequests: MetricsRequest[] = [];
  /** The header `authorization` of each request. */
  readonly authorizations: unknown[] = [];
  /** The errors of the next answers. Later requests are accepted. */
  readonly errors: ('refused' | 'unavailable')[] = [];
  protected port = 0;
  #arrived: (() => void) | undefined;

  constructor(tls: CollectorTls | undefined) {
    this.tls = tls;
  }

  abstract start(): Promise<void>;
  abstract kill(): Promise<void>;

  /** Accepts a request, or returns the error of the answer. */
  protected take(signal: Signal, body: Uint8Array, authorization: unknown): 'refused' | 'unavailable' | undefined {
    this.authorizations.push(authorization);
    const error = this.errors.shift();
    if (error !== undefined) return error;
    if (signal === 'logs') this.requests.push(ExportLogsServiceRequest.decode(body));
    else this.metricRequests.push(ExportMetricsServiceRequest.decode(body));
    return undefined;
  }

  protected notifyArrival(): void {
    this.#arrived?.();
  }

  /** With TLS, a client may use another address than that of the certificate. */
  protected get host(): string {
    return this.tls === undefined ? '127.0.0.1' : '0.0.0.0';
  }

  get url(): string {
    return `${this.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  get records(): LogRecord[] {
    return this.requests.flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)),
    );
  }

  /** The received lines. */
  get lines(): string[] {
    return this.records.map(({ body }) => body.stringValue ?? '');
  }

  get metrics(): ReceivedMetric[] {
    return this.metricRequests.flatMap(({ resourceMetrics }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics)),
    );
  }

  /** Waits until the condition holds. It is checked after each request. */
  async waitUntil(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }
}

const STATUSES = { refused: 400, unavailable: 503 } as const;

class HttpCollector extends Collector {
  readonly protocol = 'http/protobuf';
  #server: Server | undefined;

  async start(): Promise<void> {
    const answer: RequestListener = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const [, signal] = /^\/v1\/(logs|metrics)$/.exec(request.url ?? '') ?? [];
        assert.ok(signal !== undefined, request.url);
        const bytes = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
        const error = this.take(signal as Signal, body, request.headers['authorization']);
        const status = error === undefined ? 200 : STATUSES[error];
        // after the answer is sent, so that the client does not repeat the request when the collector stops
        response.writeHead(status, { 'content-type': 'application/x-protobuf' }).end(() => this.notifyArrival());
      });
    };
    const server = this.tls === undefined ? createServer(answer) : createTlsServer(this.tls, answer);
    server.listen(this.port, this.host);
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

const exportMethod = (path: string) => ({
  path: `/opentelemetry.proto.collector.${path}/Export`,
  requestStream: false,
  responseStream: false,
  requestDeserialize: (bytes: Buffer) => bytes,
  requestSerialize: (bytes: Buffer) => bytes,
  responseSerialize: () => Buffer.alloc(0),
  responseDeserialize: (bytes: Buffer) => bytes,
});
const CODES = { refused: 3, unavailable: 14 } as const;

interface Implementation {
  readonly export: (
    call: { request: Buffer; metadata: { get(name: string): unknown[] } },
    done: (error: object | null, answer?: object) => void,
  ) => void;
}

class GrpcCollector extends Collector {
  readonly protocol = 'grpc';
  #server: GrpcServer | undefined;

  async start(): Promise<void> {
    const server = new GrpcServer();
    const implement = (signal: Signal): Implementation => ({
      export: (call, done) => {
        const error = this.take(signal, call.request, call.metadata.get('authorization')[0]);
        done(error === undefined ? null : { code: CODES[error], details: error }, {});
        this.notifyArrival();
      },
    });
    server.addService({ export: exportMethod('logs.v1.LogsService') }, { ...implement('logs') });
    server.addService({ export: exportMethod('metrics.v1.MetricsService') }, { ...implement('metrics') });
    this.port = await new Promise<number>((resolve, reject) => {
      const address = `${this.host}:${this.port}`;
      const { tls } = this;
      const credentials =
        tls === undefined
          ? ServerCredentials.createInsecure()
          : ServerCredentials.createSsl(null, [{ cert_chain: tls.cert, private_key: tls.key }]);
      server.bindAsync(address, credentials, (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    this.#server = server;
  }

  /** Waits for pending answers, so that the client does not repeat their requests. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise<unknown>((resolve) => server.tryShutdown(resolve));
  }
}

export function createCollector(protocol: Protocol, tls?: CollectorTls): Collector {
  return protocol === 'grpc' ? new GrpcCollector(tls) : new HttpCollector(tls);
}
