/** Records of hooks with values, in the format of the BPF programs. */
import type { ArgumentType } from '../../../../types/policy-language.js';
import { decodeArgument } from '../../../../lib/wire/decode/arguments.js';
import { EventHeader, EventHook, Value } from '../../../../lib/wire/layout.gen.js';
import { RecordChunk } from '../../../../lib/wire/record-chunk.js';
import type { HookArgument } from '../../../../types/events.js';

export interface RecordValue {
  readonly value?: bigint;
  /** The bytes of a string or a detail. */
  readonly text?: string | Buffer;
  readonly flags?: number;
  readonly mode?: number;
  readonly magic?: number;
  readonly fd?: number;
  readonly device?: number;
  readonly links?: number;
  readonly size?: number;
  /** The offset of the string in the record, if it differs from the real offset. */
  readonly offset?: number;
  readonly length?: number;
}

/** Makes a record with the values, then their strings. */
export function valuesRecord(values: readonly RecordValue[], count = values.length): Buffer {
  const texts = values.map(({ text }) => Buffer.from(text ?? ''));
  let textAt = EventHook.sizeof + values.length * Value.sizeof;
  const bytes = Buffer.alloc(texts.reduce((sum, text) => sum + text.length, textAt));
  bytes.writeUInt32LE(bytes.length, EventHeader.size);
  bytes.writeUInt16LE(count, EventHook.valuesCount);
  values.forEach((value, slot) => {
    const text = texts[slot] as Buffer;
    writeValue(bytes, EventHook.sizeof + slot * Value.sizeof, value, textAt, text.length);
    text.copy(bytes, textAt);
    textAt += text.length;
  });
  return bytes;
}

function writeValue(bytes: Buffer, at: number, v: RecordValue, textAt: number, length: number): void {
  bytes.writeBigUInt64LE(BigInt.asUintN(64, v.value ?? 0n), at + Value.value);
  bytes.writeUInt32LE(v.offset ?? textAt, at + Value.stringOffset);
  bytes.writeUInt16LE(v.length ?? length, at + Value.stringLength);
  bytes.writeUInt16LE(v.flags ?? 0, at + Value.stringFlags);
  bytes.writeUInt32LE(v.mode ?? 0, at + Value.mode);
  bytes.writeUInt32LE(v.magic ?? 0, at + Value.magic);
  bytes.writeInt32LE(v.fd ?? -1, at + Value.fd);
  bytes.writeUInt32LE(v.device ?? 0, at + Value.device);
  bytes.writeUInt32LE(v.links ?? 0, at + Value.links);
  bytes.writeUInt32LE(v.size ?? 0, at + Value.size);
}

/** Offsets in the layout with their contents: a 32-bit or 64-bit number, or bytes. */
export type DetailFields = readonly (readonly [offset: number, value: number | bigint | string | readonly number[]])[];

export function detailBytes(sizeof: number, fields: DetailFields): Buffer {
  const bytes = Buffer.alloc(sizeof);
  for (const [offset, value] of fields) {
    if (typeof value === 'number') bytes.writeUInt32LE(value, offset);
    else if (typeof value === 'bigint') bytes.writeBigUInt64LE(value, offset);
    else Buffer.from(value as string).copy(bytes, offset);
  }
  return bytes;
}

const BEFORE = 16;
const AFTER = 64;

/** A chunk with the record in the middle, and other bytes before and after it. */
export function placeInChunk(record: Buffer): { readonly chunk: RecordChunk; readonly at: number } {
  const bytes = Buffer.alloc(BEFORE + record.length + AFTER, '!');
  record.copy(bytes, BEFORE);
  return { chunk: RecordChunk.from(bytes), at: BEFORE };
}

/** Decodes a value that is the second of two values and comes from parameter 2. */
export function decodeValue(type: ArgumentType, value: RecordValue, label?: string): HookArgument | undefined {
  const record = valuesRecord([{ value: 99n, text: 'other' }, value]);
  const { chunk, at } = placeInChunk(record);
  const compiled = { type, index: 2, ...(label === undefined ? {} : { label }) };
  return decodeArgument(chunk, at, record.length, 1, compiled);
}
