/**
 * Protocol messages as JSON: names with underscores, fields in the order of the .proto file. The library writes
 * events in the same form, so a client prints the same lines as the agent's own export.
 */
import { ScalarType, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf';
import { RAW_BYTES_SUFFIX } from '../output/export-fields.js';
import { replaceRawBytes } from '../output/escape.js';
import type { RawBytes } from '../proto/tetragon/tetragon.gen.js';
import { isWrapperDesc, TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt';

/** Fields with this number or a higher one are not in the JSON export. Only the compact line uses them. */
const NOT_EXPORTED = 1950;

type Fields = Readonly<Record<string, unknown>>;

export function toJsonObject(desc: DescMessage, message: Message): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  const { rawBytes } = message as { readonly rawBytes?: readonly RawBytes[] };
  const hasRawBytes = rawBytes !== undefined && rawBytes.length > 0;
  for (const { name, number, getValue } of jsonMembers(desc)) {
    const value = getValue(message);
    if (value === undefined) continue;
    const raw = hasRawBytes && typeof value === 'string' ? rawBytes.find(({ field }) => field === number) : undefined;
    if (raw === undefined) {
      result[name] = value;
    } else {
      result[name] = replaceRawBytes(value as string);
      result[`${name}${RAW_BYTES_SUFFIX}`] = encodeBase64(raw.value);
    }
  }
  return result;
}

interface Member {
  readonly name: string;
  readonly number: number;
  /** Returns undefined when the field is not written. */
  readonly getValue: (message: Fields) => unknown;
}

const members = new Map<DescMessage, readonly Member[]>();

function jsonMembers(desc: DescMessage): readonly Member[] {
  let found = members.get(desc);
  if (found === undefined) {
    found = desc.fields.filter(({ number }) => number < NOT_EXPORTED).map(toJsonMember);
    members.set(desc, found);
  }
  return found;
}

function toJsonMember(field: DescField): Member {
  const { name, number, localName, oneof } = field;
  const convert = createConverter(field);
  if (oneof !== undefined && !oneof.name.startsWith('_')) {
    const getValue = (message: Fields): unknown => {
      const chosen = message[oneof.localName] as { readonly case?: string; readonly value?: unknown };
      return chosen.case === localName ? convert(chosen.value) : undefined;
    };
    return { name, number, getValue };
  }
  return {
    name,
    number,
    getValue: (message) => {
      const value = message[localName];
      return isAbsent(field, value) ? undefined : convert(value);
    },
  };
}

/** Protobuf's JSON omits zero values of fields without presence. */
function isAbsent(field: DescField, value: unknown): boolean {
  if (value === undefined) return true;
  if (field.fieldKind === 'list') return (value as readonly unknown[]).length === 0;
  if (field.fieldKind === 'map') return Object.keys(value as object).length === 0;
  if (field.fieldKind === 'message') return false;
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === 0n || value === '' || value === false;
}

type Convert = (value: unknown) => unknown;

function createConverter(field: DescField): Convert {
  switch (field.fieldKind) {
    case 'list': {
      const each = createElementConverter(field.scalar, field.enum, field.message);
      return (value) => (value as readonly unknown[]).map(each);
    }
    case 'map': {
      const each = createElementConverter(field.scalar, field.enum, field.message);
      return (value) => Object.fromEntries(Object.entries(value as object).map(([key, of]) => [key, each(of)]));
    }
    case 'scalar':
    case 'enum':
    case 'message':
      return createElementConverter(field.scalar, field.enum, field.message);
  }
}

function createElementConverter(
  scalar: ScalarType | undefined,
  enumeration: DescField['enum'],
  message: DescMessage | undefined,
): Convert {
  if (enumeration !== undefined) {
    return (value) => enumeration.value[value as number]?.name ?? value;
  }
  if (message !== undefined) {
    if (message.typeName === TimestampSchema.typeName) return (value) => formatTimestamp(value as Timestamp);
    // The generated code replaces a wrapper message by its value.
    if (isWrapperDesc(message)) return toJsonScalar;
    return (value) => toJsonObject(message, value as Message);
  }
  return scalar === ScalarType.BYTES ? encodeBase64 : toJsonScalar;
}

function toJsonScalar(value: unknown): unknown {
  if (value instanceof Uint8Array) return encodeBase64(value);
  return typeof value === 'bigint' ? value.toString() : value;
}

function encodeBase64(value: unknown): string {
  const { buffer, byteOffset, length } = value as Uint8Array;
  return Buffer.from(buffer, byteOffset, length).toString('base64');
}

let lastSecond = 0n;
let lastFormatted = '1970-01-01T00:00:00';

/** Returns RFC 3339 in UTC, with nanoseconds. */
export function formatTimestamp({ seconds, nanos }: Timestamp): string {
  if (seconds !== lastSecond) {
    lastFormatted = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
    lastSecond = seconds;
  }
  return `${lastFormatted}.${String(1_000_000_000 + nanos).slice(1)}Z`;
}

/** Characters that are unsafe on a terminal but not in JSON: DEL, C1 controls, invisible characters, direction overrides. */
const UNSAFE = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Returns one line that is safe on a terminal. */
export function formatJsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
