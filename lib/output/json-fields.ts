/** Members of a message in protobuf's JSON form. */
import type { Capabilities } from '../../types/events.js';
import { capabilityNames } from '../names/capabilities.js';
import { quoteJson } from './escape.js';

/** Of fields that each begin with a comma, or are left out. */
export function message(...fields: readonly string[]): string {
  return `{${fields.join('').slice(1)}}`;
}

/** Protobuf's JSON leaves an empty string out, */
export function stringField(name: string, value: string): string {
  return value === '' ? '' : `,"${name}":${quoteJson(value)}`;
}

/** and zero, */
export function numberField(name: string, value: number): string {
  return value === 0 ? '' : `,"${name}":${value}`;
}

/** and writes 64 bits as text. */
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

/** Few different masks are in use on one machine; a hostile process could make many. */
const KEPT_MASKS = 256;
const capabilityLists = new Map<bigint, string>();

function capabilityField(name: string, mask: bigint): string {
  if (mask === 0n) return '';
  let list = capabilityLists.get(mask);
  if (list === undefined) {
    list = JSON.stringify(capabilityNames(mask));
    if (capabilityLists.size >= KEPT_MASKS) capabilityLists.clear();
    capabilityLists.set(mask, list);
  }
  return `,"${name}":${list}`;
}
