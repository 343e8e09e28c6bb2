/** Parses filter values that stand for numbers: numbers, names from the kernel's headers, and networks. */
import { isIPv4, isIPv6 } from 'node:net';
import type { AddressPrefix } from '../../compiled/compiled-policy.js';
import { findList, listName } from './lists.js';
import type { PolicyData } from './model.js';
import { FAMILIES, PROTOCOLS, TCP_STATES, type NumberByName } from '../../names/network.js';
import { capabilityNumber } from '../../names/capabilities.js';
import { FILE_TYPES } from '../../names/kernel.js';
import { syscallNumber, type Architecture } from '../../names/syscalls.js';
import { parseInteger, parseRange, type Range } from './values.js';
import type { Operator, ValueClass } from '../language/vocabulary.js';

function parseNumberOrName(names: NumberByName, value: string): bigint | undefined {
  return Object.hasOwn(names, value) ? BigInt(names[value] ?? 0) : parseInteger(value);
}

export const protocolNumber = (value: string): bigint | undefined => parseNumberOrName(PROTOCOLS, value);
export const familyNumber = (value: string): bigint | undefined => parseNumberOrName(FAMILIES, value);
export const stateNumber = (value: string): bigint | undefined => parseNumberOrName(TCP_STATES, value);
export const fileTypeNumber = (value: string): bigint | undefined => parseNumberOrName(FILE_TYPES, value);

const toSingleRange = (number: bigint | undefined): Range | undefined =>
  number === undefined ? undefined : { minimum: number, maximum: number };

/** Parses a number, or the name of a capability or system call. */
function parseTypedNumber(value: string, kind: ValueClass, architecture: Architecture): bigint | undefined {
  const number = parseInteger(value);
  if (number !== undefined) return number;
  if (kind === 'capability') return capabilityNumber(value);
  return kind === 'syscall' ? syscallNumber(value, architecture) : undefined;
}

/**
 * Returns the numbers that a filter value stands for, or undefined for a wrong value. A list stands for its members.
 */
export function parseValueRanges(
  value: string,
  operator: Operator,
  kind: ValueClass,
  policy: PolicyData,
  architecture: Architecture,
): Range[] | undefined {
  const list = operator === 'InMap' || operator === 'NotInMap' ? listName(value) : undefined;
  if (list !== undefined) {
    const members = findList(policy, list)?.values ?? [];
    const ranges = members.map((member) => toSingleRange(parseInteger(member) ?? syscallNumber(member, architecture)));
    return ranges.every((range) => range !== undefined) ? ranges : undefined;
  }
  if (!value.includes(':')) return toRangeList(toSingleRange(parseTypedNumber(value, kind, architecture)));
  const plain = parseRange(value);
  if (plain !== undefined) return [plain];
  const [from = '', to = ''] = value.split(':');
  const [minimum, maximum] = [parseTypedNumber(from, kind, architecture), parseTypedNumber(to, kind, architecture)];
  return minimum === undefined || maximum === undefined ? undefined : [{ minimum, maximum }];
}

function toRangeList(range: Range | undefined): Range[] | undefined {
  return range === undefined ? undefined : [range];
}

/** Parses a network such as `10.0.0.0/8` or `fd00::/8`, or a single address. */
export function parseNetwork(value: string): AddressPrefix | undefined {
  const [address = '', bits, ...rest] = value.split('/');
  const bytes = isIPv4(address)
    ? ipv4Bytes(address)
    : isIPv6(address) && !address.includes('%')
      ? ipv6Bytes(address)
      : [];
  const maxBits = bytes.length * 8;
  if (maxBits === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const length = bits === undefined ? maxBits : Number(bits);
  if (length > maxBits) return undefined;
  return unmapIpv4({ family: maxBits === 32 ? 4 : 6, bytes: maskAddress(bytes, length), bits: length });
}

function ipv4Bytes(address: string): number[] {
  return address.split('.').map(Number);
}

function ipv6Bytes(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const before = ipv6GroupBytes(head);
  const after = tail === undefined ? [] : ipv6GroupBytes(tail);
  return [...before, ...Array.from({ length: 16 - before.length - after.length }, () => 0), ...after];
}

/** Returns the bytes of the groups on one side of `::`. The last group may be an IPv4 address. */
function ipv6GroupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return ipv4Bytes(group);
    const number = parseInt(group, 16);
    return [number >> 8, number & 0xff];
  });
}

function maskAddress(bytes: readonly number[], bits: number): number[] {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(Math.max(bits - 8 * i, 0), 8)) & 0xff);
}

/** Converts an IPv4-mapped network such as `::ffff:10.0.0.1`. The BPF programs look such addresses up as IPv4. */
function unmapIpv4(prefix: AddressPrefix): AddressPrefix {
  const start = prefix.bytes.slice(0, 12);
  const isMapped = prefix.bits >= 96 && start.every((byte, i) => byte === (i < 10 ? 0 : 0xff));
  return isMapped ? { family: 4, bytes: prefix.bytes.slice(12), bits: prefix.bits - 96 } : prefix;
}
