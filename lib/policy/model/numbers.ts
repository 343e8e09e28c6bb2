/** Reads values of filters that stand for numbers: written as a number, or as a name from the kernel's headers. */
import { isIPv4, isIPv6 } from 'node:net';
import type { AddressPrefix } from '../../compiled/compiled-policy.js';
import { findList, listName } from './lists.js';
import type { PolicyData } from './model.js';
import { FAMILIES, PROTOCOLS, TCP_STATES, type Names } from '../../names/network.js';
import { capabilityNumber } from '../../names/capabilities.js';
import { FILE_TYPES } from '../../names/kernel.js';
import { syscallNumber, type Architecture } from '../../names/syscalls.js';
import { parseInteger, parseRange, type Range } from './values.js';
import type { Operator, ValueClass } from '../language/vocabulary.js';

function named(names: Names, value: string): bigint | undefined {
  return Object.hasOwn(names, value) ? BigInt(names[value] ?? 0) : parseInteger(value);
}

export const protocolNumber = (value: string): bigint | undefined => named(PROTOCOLS, value);
export const familyNumber = (value: string): bigint | undefined => named(FAMILIES, value);
export const stateNumber = (value: string): bigint | undefined => named(TCP_STATES, value);
export const fileTypeNumber = (value: string): bigint | undefined => named(FILE_TYPES, value);

const single = (number: bigint | undefined): Range | undefined =>
  number === undefined ? undefined : { minimum: number, maximum: number };

/** Reads a number or the name of a number. */
function numberOf(value: string, kind: ValueClass, architecture: Architecture): bigint | undefined {
  const number = parseInteger(value);
  if (number !== undefined) return number;
  if (kind === 'capability') return capabilityNumber(value);
  return kind === 'syscall' ? syscallNumber(value, architecture) : undefined;
}

/**
 * The numbers that the value of a filter stands for; undefined if it stands for none. A list stands for its members.
 */
export function rangesOf(
  value: string,
  operator: Operator,
  kind: ValueClass,
  policy: PolicyData,
  architecture: Architecture,
): Range[] | undefined {
  const list = operator === 'InMap' || operator === 'NotInMap' ? listName(value) : undefined;
  if (list !== undefined) {
    const members = findList(policy, list)?.values ?? [];
    const ranges = members.map((member) => single(parseInteger(member) ?? syscallNumber(member, architecture)));
    return ranges.every((range) => range !== undefined) ? ranges : undefined;
  }
  if (!value.includes(':')) return asList(single(numberOf(value, kind, architecture)));
  const plain = parseRange(value);
  if (plain !== undefined) return [plain];
  const [from = '', to = ''] = value.split(':');
  const [minimum, maximum] = [numberOf(from, kind, architecture), numberOf(to, kind, architecture)];
  return minimum === undefined || maximum === undefined ? undefined : [{ minimum, maximum }];
}

function asList(range: Range | undefined): Range[] | undefined {
  return range === undefined ? undefined : [range];
}

/** Reads a network such as `10.0.0.0/8` or `fd00::/8`, or a single address. */
export function parseNetwork(value: string): AddressPrefix | undefined {
  const [address = '', bits, ...rest] = value.split('/');
  const bytes = isIPv4(address) ? bytes4(address) : isIPv6(address) && !address.includes('%') ? bytes6(address) : [];
  const most = bytes.length * 8;
  if (most === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const length = bits === undefined ? most : Number(bits);
  if (length > most) return undefined;
  return unmapped({ family: most === 32 ? 4 : 6, bytes: masked(bytes, length), bits: length });
}

function bytes4(address: string): number[] {
  return address.split('.').map(Number);
}

function bytes6(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const before = groups6(head);
  const after = tail === undefined ? [] : groups6(tail);
  return [...before, ...Array.from({ length: 16 - before.length - after.length }, () => 0), ...after];
}

/** The bytes of the groups on one side of `::`. The last group may be an IPv4 address. */
function groups6(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return bytes4(group);
    const number = parseInt(group, 16);
    return [number >> 8, number & 0xff];
  });
}

function masked(bytes: readonly number[], bits: number): number[] {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(Math.max(bits - 8 * i, 0), 8)) & 0xff);
}

/** `::ffff:10.0.0.1` is an IPv4 address in an IPv6 socket. The BPF programs look it up as IPv4. */
function unmapped(prefix: AddressPrefix): AddressPrefix {
  const start = prefix.bytes.slice(0, 12);
  const isMapped = prefix.bits >= 96 && start.every((byte, i) => byte === (i < 10 ? 0 : 0xff));
  return isMapped ? { family: 4, bytes: prefix.bytes.slice(12), bits: prefix.bits - 96 } : prefix;
}
