/**
 * Messages of a stream that are ready to be sent: each with the five bytes that gRPC puts before it. Many go to HTTP/2 in one
 * write, because a write costs several times as much as encoding an event.
 */
import type { Writer } from '../encode/writer.js';

/** Bytes before a message: a flag, and the length. */
export const HEADER = 5;

/** A part of a buffer that has whole messages. Streams share buffers. */
export interface Chunk {
  readonly bytes: Buffer;
  readonly start: number;
  /** Grows while messages are added behind the last one. */
  end: number;
  messages: number;
}

const SLAB_BYTES = 64 * 1024;

/** Collects messages in buffers of 64 KiB. A buffer is not written again, so it lives as long as a stream needs it. */
export class Slabs {
  bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #end = 0;

  /** Copies a message with its header. It ends at `end`. Returns where it begins in `bytes`. */
  add(writer: Writer): number {
    const { length } = writer;
    const start = this.#room(length);
    writer.copyTo(this.bytes, start + HEADER);
    return start;
  }

  addBytes(message: Uint8Array): number {
    const start = this.#room(message.length);
    this.bytes.set(message, start + HEADER);
    return start;
  }

  get end(): number {
    return this.#end;
  }

  #room(length: number): number {
    if (this.#end + HEADER + length > this.bytes.length) {
      this.bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, HEADER + length));
      this.#end = 0;
    }
    const start = this.#end;
    this.bytes[start] = 0;
    this.bytes.writeUInt32BE(length, start + 1);
    this.#end = start + HEADER + length;
    return start;
  }
}

/**
 * Several messages in the place of one. gRPC's server asks a message for its length, puts a header before it, and copies it
 * behind the header: `copy` writes the header of the first message over that one. If the server asks in another way, this
 * throws, and the client gets an error instead of torn messages.
 */
export class Frames {
  readonly byteLength: number;
  readonly #chunks: readonly Chunk[];

  constructor(chunks: readonly Chunk[]) {
    this.#chunks = chunks;
    this.byteLength = chunks.reduce((sum, { start, end }) => sum + end - start, -HEADER);
  }

  copy(target: Buffer, targetStart: number): number {
    if (targetStart !== HEADER || target.length !== this.byteLength + HEADER) {
      throw new Error('this version of @grpc/grpc-js writes messages in another way');
    }
    let at = 0;
    for (const { bytes, start, end } of this.#chunks) at += bytes.copy(target, at, start, end);
    return this.byteLength;
  }
}
