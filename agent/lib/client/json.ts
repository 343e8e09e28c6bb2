/**
 * Messages of the protocol in the JSON export's form: names with underscores, fields in the order of the .proto file. The library
 * writes an event in the same way, so a client prints what the agent's own export has.
 */
import { ScalarType, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf';
import { isWrapperDesc, TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt';

/** Fields from this number on are not in the JSON export. They are for the compact line. */
const NOT_EXPORTED = 1950;

type Fields = Readonly<Record<string, unknown>>;

export function jsonObject(desc: DescMessage, message: Message): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const { name, read } of membersOf(desc)) {
    const value = read(message as unknown as Fields);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

interface Member {
  readonly name: string;
  /** Undefined when the field is not written. */
  readonly read: (message: Fields) => unknown;
}

const members = new Map<DescMessage, readonly Member[]>();

function membersOf(desc: DescMessage): readonly Member[] {
  let found = members.get(desc);
  if (found === undefined) {
    found = desc.fields.filter(({ number }) => number < NOT_EXPORTED).map(memberOf);
    members.set(desc, found);
  }
  return found;
}

function memberOf(field: DescField): Member {
  const { name, localName, oneof } = field;
  const convert = converter(field);
  if (oneof !== undefined && !oneof.name.startsWith('_')) {
    const read = (message: Fields): unknown => {
      const chosen = message[oneof.localName] as { readonly case?: string; readonly value?: unknown };
      return chosen.case === localName ? convert(chosen.value) : undefined;
    };
    return { name, read };
  }
  return {
    name,
    read: (message) => {
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

function converter(field: DescField): Convert {
  switch (field.fieldKind) {
    case 'list': {
      const each = singular(field.scalar, field.enum, field.message);
      return (value) => (value as readonly unknown[]).map(each);
    }
    case 'map': {
      const each = singular(field.scalar, field.enum, field.message);
      return (value) => Object.fromEntries(Object.entries(value as object).map(([key, of]) => [key, each(of)]));
    }
    default:
      return singular(field.scalar, field.enum, field.message);
  }
}

function singular(
  scalar: ScalarType | undefined,
  enumeration: DescField['enum'],
  message: DescMessage | undefined,
): Convert {
  if (enumeration !== undefined) {
    return (value) => enumeration.value[value as number]?.name ?? value;
  }
  if (message !== undefined) {
    if (message.typeName === TimestampSchema.typeName) return (value) => timeText(value as Timestamp);
    // The generated code has the value of a wrapper in its place.
    if (isWrapperDesc(message)) return plain;
    return (value) => jsonObject(message, value as Message);
  }
  return scalar === ScalarType.BYTES ? base64 : plain;
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return base64(value);
  return typeof value === 'bigint' ? value.toString() : value;
}

function base64(value: unknown): string {
  const { buffer, byteOffset, length } = value as Uint8Array;
  return Buffer.from(buffer, byteOffset, length).toString('base64');
}

let lastSecond = 0n;
let lastText = '1970-01-01T00:00:00';

/** RFC 3339 in UTC, with nanoseconds. */
export function timeText({ seconds, nanos }: Timestamp): string {
  if (seconds !== lastSecond) {
    lastText = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
    lastSecond = seconds;
  }
  return `${lastText}.${String(1_000_000_000 + nanos).slice(1)}Z`;
}

/** Characters that are unsafe on a terminal but not in JSON: DEL, C1 controls, invisible characters, direction overrides. */
const UNSAFE = /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** One line that is safe on a terminal. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
