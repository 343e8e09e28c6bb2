/**
 * Messages that are ready to be sent, each with the five bytes of gRPC before it. Many messages go to HTTP/2 in one
 * write, because a write costs several times as much as encoding an event.
 */
import type { Writer } from 'polytrace/protocol';

/** Length of the header of a message: a flag and the length. */
export const HEADER = 5;

/** Returns the end of the message whose header begins at `start`. */
export function messageEnd(bytes: Buffer, start: number): number {
  return start + HEADER + bytes.readUInt32BE(start + 1);
}

/** A part of a buffer with complete messages. Streams share buffers. */
export interface Chunk {
  readonly bytes: Buffer;
  readonly start: number;
  /** Grows while messages are appended. */
  end: number;
  messages: number;
}

const BUFFER_BYTES = 64 * 1024;

/**
 * Collects messages in buffers of 64 KiB. A full buffer is not written again, so it lives as long as a stream uses
 * it.
 */
export class FrameBuffer {
  bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #end = 0;

  /** Copies a message with its header, which then ends at `end`. Returns its offset in `bytes`. */
  add(writer: Writer): number {
    const { length } = writer;
    const start = this.#reserve(length);
    writer.copyTo(this.bytes, start + HEADER);
    return start;
  }

  addBytes(message: Uint8Array): number {
    const start = this.#reserve(message.length);
    this.bytes.set(message, start + HEADER);
    return start;
  }

  /**
   * Copies messages that have their headers, from an offset: as many as fit, at least one. Adds the end of each in `bytes`
   * to `ends`. Returns the offset of the first message that is not copied.
   */
  addFrames(frames: Buffer, from: number, ends: number[]): number {
    const first = messageEnd(frames, from);
    if (this.#end + first - from > this.bytes.length) this.#renew(first - from);
    const moved = this.#end - from;
    const limit = this.bytes.length - moved;
    let to = first;
    ends.push(first + moved);
    while (to < frames.length) {
      const next = messageEnd(frames, to);
      if (next > limit) break;
      ends.push(next + moved);
      to = next;
    }
    frames.copy(this.bytes, this.#end, from, to);
    this.#end = to + moved;
    return to;
  }

  get end(): number {
    return this.#end;
  }

  #renew(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, size));
    this.#end = 0;
  }

  #reserve(length: number): number {
    if (this.#end + HEADER + length > this.bytes.length) this.#renew(HEADER + length);
    const start = this.#end;
    this.bytes[start] = 0;
    this.bytes.writeUInt32BE(length, start + 1);
    this.#end = start + HEADER + length;
    return start;
  }
}

/**
 * Passes several messages to gRPC as one. The server asks a message for its length, writes a header, and copies the
 * message behind it. `copy` overwrites that header with the one of the first message. If the server calls it
 * differently, it throws, so the client gets an error and no corrupt messages.
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
