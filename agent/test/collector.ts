/** A collector of OpenTelemetry for tests: it decodes the official protobuf. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
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
const { ExportLogsServiceRequest } = (
  decoder as unknown as {
    opentelemetry: {
      proto: { collector: { logs: { v1: { ExportLogsServiceRequest: { decode(bytes: Uint8Array): Request } } } } };
    };
  }
).opentelemetry.proto.collector.logs.v1;

export function plain(attributes: readonly Attribute[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue } }) => [key, stringValue ?? Number(intValue)]),
  );
}

/** A collector that can be ended and started again at the same port. */
export class Collector {
  readonly requests: Request[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** Statuses of the next answers; then 200. */
  readonly statuses: number[] = [];
  #server: Server | undefined;
  #port = 0;
  #arrived: (() => void) | undefined;

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        assert.equal(request.url, '/v1/logs');
        this.headers.push(request.headers);
        const status = this.statuses.shift() ?? 200;
        const bytes = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
        if (status === 200) this.requests.push(ExportLogsServiceRequest.decode(body));
        // when the answer is out: then the end of the collector does not make the client send it again
        response.writeHead(status, { 'content-type': 'application/x-protobuf' }).end(() => this.#arrived?.());
      });
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
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

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get records(): LogRecord[] {
    return this.requests.flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)),
    );
  }

  /** The lines that came. */
  get lines(): string[] {
    return this.records.map(({ body }) => body.stringValue ?? '');
  }

  /** Waits for a request after which the condition holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }
}
