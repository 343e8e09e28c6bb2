/** A ttrpc client and server over the connections that NRI multiplexes in one socket. */
import { connect, type Socket } from 'node:net';
import type { Protobuf } from '../protobuf.js';

/** Ids of the connections in the socket. */
const TO_PLUGIN = 1;
const TO_RUNTIME = 2;
const REQUEST = 1;
const RESPONSE = 2;
const FRAME_HEADER = 8;
const MESSAGE_HEADER = 10;
/** The runtime's own limit of a message. */
const MESSAGE_MAX = 4 * 1024 * 1024;
const FRAME_MAX = MESSAGE_MAX + MESSAGE_HEADER;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;

/** Answers a call of the runtime. Resolves with undefined if the method does not exist. */
export type Serve = (method: string, payload: Uint8Array) => Promise<Uint8Array | undefined>;

export class NriConnection {
  readonly #socket: Socket;
  readonly #protobuf: Protobuf;
  readonly #serve: Serve;
  /** Incomplete frames of the socket, and incomplete messages of each connection in it. */
  #pending = Buffer.alloc(0);
  readonly #pendingByConnection = new Map<number, Buffer>();
  #stream = 1;
  readonly #answers = new Map<number, (bytes: Uint8Array) => void>();
  /** Resolves or rejects when the connection ends. */
  readonly ended: Promise<void>;

  constructor(path: string, protobuf: Protobuf, serve: Serve) {
    this.#protobuf = protobuf;
    this.#serve = serve;
    this.#socket = connect(path).unref();
    this.ended = new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.once('close', () => resolve());
    });
    this.ended.catch(() => undefined);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Calls the runtime. Rejects if the runtime answers with an error, or if the connection ends before the answer. */
  async call(service: string, method: string, payload: Uint8Array): Promise<Uint8Array> {
    const { ttrpc, encode, decode } = this.#protobuf;
    const stream = this.#stream;
    this.#stream += 2;
    const answered = new Promise<Uint8Array>((resolve) => this.#answers.set(stream, resolve));
    this.#send(TO_RUNTIME, stream, REQUEST, encode(ttrpc.RequestSchema, { service, method, payload }));
    const lost = this.ended.then(() => Promise.reject(new Error('the runtime has closed the connection')));
    const { status, payload: result } = decode(ttrpc.ResponseSchema, await Promise.race([answered, lost]));
    if (status !== undefined && status.code !== 0) throw new Error(`${method}: ${status.message}`);
    return result;
  }

  #send(connection: number, stream: number, type: number, message: Uint8Array): void {
    const header = Buffer.alloc(FRAME_HEADER + MESSAGE_HEADER);
    header.writeUInt32BE(connection, 0);
    header.writeUInt32BE(MESSAGE_HEADER + message.length, 4);
    header.writeUInt32BE(message.length, 8);
    header.writeUInt32BE(stream, 12);
    header.writeUInt8(type, 16);
    this.#socket.write(Buffer.concat([header, message]));
  }

  #receive(chunk: Buffer): void {
    try {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      while (this.#pending.length >= FRAME_HEADER) {
        const connection = this.#pending.readUInt32BE(0);
        const end = FRAME_HEADER + checkLength(this.#pending.readUInt32BE(4), FRAME_MAX);
        if (this.#pending.length < end) break;
        if (connection === TO_PLUGIN || connection === TO_RUNTIME) {
          this.#receiveOn(connection, this.#pending.subarray(FRAME_HEADER, end));
        }
        this.#pending = this.#pending.subarray(end);
      }
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  /** Collects the frames of a message. */
  #receiveOn(connection: number, bytes: Buffer): void {
    let rest = Buffer.concat([this.#pendingByConnection.get(connection) ?? Buffer.alloc(0), bytes]);
    while (rest.length >= MESSAGE_HEADER) {
      const end = MESSAGE_HEADER + checkLength(rest.readUInt32BE(0), MESSAGE_MAX);
      if (rest.length < end) break;
      this.#onMessage(rest.readUInt32BE(4), rest.readUInt8(8), rest.subarray(MESSAGE_HEADER, end));
      rest = rest.subarray(end);
    }
    this.#pendingByConnection.set(connection, rest);
  }

  #onMessage(stream: number, type: number, message: Buffer): void {
    if (type === REQUEST) {
      void this.#answer(stream, message).catch((error: unknown) => this.#socket.destroy(error as Error));
    } else if (type === RESPONSE) {
      this.#answers.get(stream)?.(message);
      this.#answers.delete(stream);
    }
  }

  async #answer(stream: number, message: Buffer): Promise<void> {
    const { ttrpc, encode, decode } = this.#protobuf;
    const { method, payload } = decode(ttrpc.RequestSchema, message);
    let response: Uint8Array;
    try {
      const result = await this.#serve(method, payload);
      const missing = { status: { code: UNIMPLEMENTED, message: `there is no method ${method}` } };
      response = encode(ttrpc.ResponseSchema, result === undefined ? missing : { payload: result });
    } catch (error) {
      response = encode(ttrpc.ResponseSchema, { status: { code: INTERNAL, message: (error as Error).message } });
    }
    this.#send(TO_PLUGIN, stream, RESPONSE, response);
  }
}

function checkLength(length: number, max: number): number {
  if (length > max) throw new Error(`the runtime has sent a message of ${length} bytes`);
  return length;
}
