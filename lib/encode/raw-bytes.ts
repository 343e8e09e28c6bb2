/**
 * The protocol has only texts in UTF-8, but names and arguments are bytes. A text that is not UTF-8 has U+FFFD in place of
 * such bytes, and its message has all of them in `raw_bytes`, with the field number of the text.
 */
import type { DescMessage, Message } from '@bufbuild/protobuf';
import { RawBytesSchema, type RawBytes } from '../proto/tetragon/tetragon.gen.js';
import { fieldTags } from './tags.js';
import { decodeString } from '../wire/surrogate-escape.js';

/** The field number of `raw_bytes` in each message that has it. */
export const RAW_BYTES_NUMBER = 1959;
export const RAW_BYTES = fieldTags(RawBytesSchema);
export const RAW_BYTES_TAG = RAW_BYTES_NUMBER * 8 + 2;

/** The tag as it is written. Few messages without raw bytes contain it. */
const WRITTEN_TAG = Buffer.of((RAW_BYTES_TAG & 0x7f) | 0x80, RAW_BYTES_TAG >> 7);

/** Gives the texts of a decoded message their bytes back, as the library decodes them: U+DC00 plus the byte. */
export function restoreRawBytes(schema: DescMessage, message: Message, encoded: Uint8Array): void {
  if (Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length).includes(WRITTEN_TAG)) restore(schema, message);
}

type Fields = Record<string, unknown>;

function restore(schema: DescMessage, message: Message): void {
  const fields = message as unknown as Fields;
  for (const field of schema.fields) {
    if (field.message === undefined || field.fieldKind === 'map') continue;
    const value =
      field.oneof === undefined ? fields[field.localName] : chosenValue(fields, field.oneof.localName, field.localName);
    const values = Array.isArray(value) ? (value as unknown[]) : [value];
    if (field.message.typeName === RawBytesSchema.typeName) {
      for (const each of values) restoreText(schema, fields, each as RawBytes);
    } else {
      for (const each of values) if (isMessage(each, field.message)) restore(field.message, each);
    }
  }
}

function chosenValue(fields: Fields, oneof: string, name: string): unknown {
  const chosen = fields[oneof] as { readonly case?: string; readonly value?: unknown };
  return chosen.case === name ? chosen.value : undefined;
}

/** The generated code replaces a wrapper message by its value. */
function isMessage(value: unknown, schema: DescMessage): value is Message {
  return typeof value === 'object' && value !== null && (value as Partial<Message>).$typeName === schema.typeName;
}

function restoreText(schema: DescMessage, fields: Fields, { field: number, index, value }: RawBytes): void {
  const field = schema.fields.find((each) => each.number === number);
  if (field === undefined) return;
  const text = decodeString(Buffer.from(value.buffer, value.byteOffset, value.length), 0, value.length);
  if (field.oneof !== undefined) {
    const chosen = fields[field.oneof.localName] as { readonly case?: string; value?: unknown };
    if (chosen.case === field.localName && typeof chosen.value === 'string') chosen.value = text;
    return;
  }
  const old = fields[field.localName];
  if (typeof old === 'string') fields[field.localName] = text;
  else if (Array.isArray(old) && typeof old[index] === 'string') old[index] = text;
}
