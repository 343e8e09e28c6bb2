/** Formats the members of a message in protobuf's JSON form. */
import type { Capabilities } from '../../types/events.js';
import { exportCapabilityNames } from '../names/capabilities.js';
import { encodeString, hasRawBytes } from '../wire/surrogate-escape.js';
import { RAW_BYTES_SUFFIX } from './export-fields.js';
import { needsNoEscape, quoteJson } from './escape.js';

/** Joins fields to a message. Each field begins with a comma or is empty. */
export function message(...fields: readonly string[]): string {
  return `{${fields.join('').slice(1)}}`;
}

/** Protobuf's JSON omits an empty string. */
export function stringField(name: string, value: string): string {
  return value === '' ? '' : `,${stringMember(name, value)}`;
}

export function stringMember(name: string, value: string): string {
  return `"${name}":${stringValue(name, value)}`;
}

/** Formats the value. If it has bytes that are not UTF-8, a member with all its bytes in base64 follows. */
export function stringValue(name: string, value: string): string {
  const text = quoteJson(value);
  if (needsNoEscape(value) || !hasRawBytes(value)) return text;
  return `${text},"${name}${RAW_BYTES_SUFFIX}":"${encodeString(value).toString('base64')}"`;
}

/** Protobuf's JSON omits zero. */
export function numberField(name: string, value: number): string {
  return value === 0 ? '' : `,"${name}":${value}`;
}

/** Protobuf's JSON has a 64-bit number as a string, and omits zero. */
export function longField(name: string, value: bigint): string {
  return value === 0n ? '' : `,"${name}":"${value}"`;
}

export function listField(name: string, values: readonly string[]): string {
  return values.length === 0 ? '' : `,"${name}":${JSON.stringify(values)}`;
}

export function capabilitiesJson({ permitted, effective, inheritable }: Capabilities): string {
  return message(
    capabilityField('permitted', permitted),
    capabilityField('effective', effective),
    capabilityField('inheritable', inheritable),
  );
}

/** Maximum number of cached masks. A machine uses few different masks, but a hostile process could produce many. */
const KEPT_MASKS = 256;
const capabilityLists = new Map<bigint, string>();

function capabilityField(name: string, mask: bigint): string {
  if (mask === 0n) return '';
  let list = capabilityLists.get(mask);
  if (list === undefined) {
    list = JSON.stringify(exportCapabilityNames(mask));
    if (capabilityLists.size >= KEPT_MASKS) capabilityLists.clear();
    capabilityLists.set(mask, list);
  }
  return `,"${name}":${list}`;
}
