/** A gRPC client with the part of gRPC that the source for CRI needs: calls with one request, over HTTP/2 on a Unix socket. */
import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as connectSocket } from 'node:net';

const MESSAGE_MAX = 16 * 1024 * 1024;
const TIMEOUT_MS = 5000;
const UNIMPLEMENTED = 12;
const NOT_FOUND = 5;

export class GrpcError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  get isUnimplemented(): boolean {
    return this.status === UNIMPLEMENTED;
  }

  get isNotFound(): boolean {
    return this.status === NOT_FOUND;
  }
}

export class GrpcClient {
  readonly #session: ClientHttp2Session;
  readonly #service: string;
  /** Rejects when the connection ends. */
  readonly ended: Promise<never>;

  constructor(socket: string, service: string) {
    this.#service = service;
    this.#session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socket) });
    this.#session.unref();
    this.ended = new Promise((_, reject) => {
      this.#session.once('error', reject);
      this.#session.once('close', () => reject(new Error('the runtime has closed the connection')));
    });
    this.ended.catch(() => undefined);
  }

  close(): void {
    this.#session.destroy();
  }

  /** Rejects with GrpcError if the runtime answers with an error. */
  async call(method: string, request: Uint8Array): Promise<Uint8Array> {
    for await (const message of this.stream(method, request, TIMEOUT_MS)) return message;
    throw new Error(`${method}: the runtime has not answered`);
  }

  async *stream(method: string, request: Uint8Array, timeout?: number): AsyncGenerator<Uint8Array, void> {
    const stream = this.#session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/${this.#service}/${method}`,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [constants.HTTP2_HEADER_TE]: 'trailers',
    });
    let status: GrpcError | undefined;
    const onHeaders = (headers: Readonly<Record<string, unknown>>): void => {
      status = statusError(method, headers) ?? status;
    };
    stream.on('response', onHeaders);
    stream.on('trailers', onHeaders);
    if (timeout !== undefined) {
      stream.setTimeout(timeout, () => stream.destroy(new Error(`${method}: no answer in ${timeout} ms`)));
    }
    stream.end(frameMessage(request));
    try {
      yield* readMessages(stream);
    } finally {
      stream.close();
    }
    if (status !== undefined) throw status;
  }
}

function frameMessage(message: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

async function* readMessages(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array, void> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1);
      if (rest[0] !== 0 || length > MESSAGE_MAX) throw new Error('the runtime has sent no message of gRPC');
      if (rest.length < 5 + length) break;
      yield rest.subarray(5, 5 + length);
      rest = rest.subarray(5 + length);
    }
  }
}

function statusError(method: string, headers: Readonly<Record<string, unknown>>): GrpcError | undefined {
  const http = headers[constants.HTTP2_HEADER_STATUS];
  if (http !== undefined && http !== 200) return new GrpcError(2, `${method}: HTTP status ${Number(http)}`);
  const { 'grpc-status': status, 'grpc-message': message } = headers;
  if (status === undefined || Number(status) === 0) return undefined;
  const reason = typeof message === 'string' ? message : `status ${Number(status)}`;
  return new GrpcError(Number(status), `${method}: ${reason}`);
}
