/** Reads the fields of a message in protobuf, without knowing what they mean. */

/** The wire type of texts, bytes and messages. */
export const LENGTH_DELIMITED = 2;
const VARINT = 0;
const BYTES_64 = 1;

export interface Field {
  readonly wireType: number;
  /** Offsets in the message. */
  readonly start: number;
  readonly end: number;
  /** The whole field. */
  readonly bytes: Uint8Array;
  readonly tag: Uint8Array;
  /** The bytes after the tag, and after the length if there is one. */
  readonly content: Uint8Array;
}

/** The message comes from an encoder, so it is complete. */
export function readFields(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length;) {
    const start = at;
    const tagEnd = varintEnd(message, at);
    const wireType = (message[start] as number) & 7;
    let contentStart = tagEnd;
    let end = tagEnd + (wireType === BYTES_64 ? 8 : 4);
    if (wireType === VARINT) end = varintEnd(message, tagEnd);
    if (wireType === LENGTH_DELIMITED) {
      contentStart = varintEnd(message, tagEnd);
      end = contentStart + readVarint(message, tagEnd);
    }
    fields.push({
      wireType,
      start,
      end,
      bytes: message.subarray(start, end),
      tag: message.subarray(start, tagEnd),
      content: message.subarray(contentStart, end),
    });
    at = end;
  }
  return fields;
}

function varintEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (((bytes[at] as number) & 0x80) !== 0) at += 1;
  return at + 1;
}

/** Reads the length of a field: less than 2^32. */
function readVarint(bytes: Uint8Array, start: number): number {
  let number = 0;
  for (let at = start, factor = 1; ; at++, factor *= 0x80) {
    const byte = bytes[at] as number;
    number += (byte & 0x7f) * factor;
    if (byte < 0x80) return number;
  }
}

/** Encodes a number from 0 to 2^31 - 1. */
export function varint(number: number): Uint8Array {
  const bytes: number[] = [];
  let rest = number;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
