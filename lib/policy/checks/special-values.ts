/** Checks filter values that are not plain numbers or strings: addresses, ports, ranges, and names of numbers. */
import type { AddressPrefix } from '../../compiled/compiled-policy.js';
import type { DiagnosticCode } from '../parse/codes.js';
import { listName } from '../model/lists.js';
import { CAPABILITIES, capabilityNumber } from '../../names/capabilities.js';
import { FILE_TYPES } from '../../names/kernel.js';
import { FAMILIES, PROTOCOLS, TCP_STATES, type NumberByName } from '../../names/network.js';
import { ARCHITECTURES, syscallNames, syscallNumber } from '../../names/syscalls.js';
import { findNearestName, nearestHint } from '../parse/nearest-name.js';
import { parseNetwork } from '../model/numbers.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';
import { parseInteger, parseRange, typeRange } from '../model/values.js';
import { ARG_TYPES, type ArgTypeName, type ClassComparedAs, type PositiveOperator } from '../language/vocabulary.js';
import { checkNumberValue, checkStringValue } from './plain-values.js';

type ValueCheck = (value: string, type: ArgTypeName, span: Span, report: Report) => void;

/**
 * The check for each operator with values of a special kind. Undefined: the operator compares plain numbers or strings,
 * or takes no values.
 */
export const OPERATOR_CHECKS: Readonly<Record<PositiveOperator, ValueCheck | undefined>> = {
  Equal: undefined,
  Prefix: undefined,
  Postfix: undefined,
  GreaterThan: undefined,
  LessThan: undefined,
  GT: undefined,
  LT: undefined,
  Mask: undefined,
  SPortPriv: undefined,
  DPortPriv: undefined,
  SAddr: checkAddress,
  DAddr: checkAddress,
  SPort: checkPort,
  DPort: checkPort,
  Protocol: createNameCheck('PROTOCOL_UNKNOWN', 'protocol', PROTOCOLS, 65535n),
  Family: createNameCheck('FAMILY_UNKNOWN', 'address family', FAMILIES, 255n),
  State: createNameCheck('STATE_UNKNOWN', 'TCP state', TCP_STATES, 31n),
  FileType: checkFileType,
  InMap: checkInMap,
  InRange: checkRange,
  CapabilitiesGained: (value, _type, span, report) => checkCapabilityName(value, span, report),
  SubString: (value, _type, span, report) => checkStringValue(value, 'SubString', span, report),
  SubStringIgnCase: (value, _type, span, report) => checkStringValue(value, 'SubStringIgnCase', span, report),
  // An expression can use all values of a hook, so expressions.ts checks it.
  CelExpr: () => undefined,
};

function checkAddress(value: string, _type: ArgTypeName, span: Span, report: Report): void {
  const network = parseNetwork(value);
  if (network !== undefined) return warnHostBits(value, network, span, report);
  const hint = value.includes('${')
    ? 'replace the variable by the address'
    : 'write it like "10.0.0.1", "10.0.0.0/8" or "fd00::/8"';
  report.add('ADDRESS_INVALID', span, `${quote(value)} is not an address or network`, hint);
}

/** Warns about an address with the length of a network, whose last bits are not compared. */
function warnHostBits(value: string, { family, bytes }: AddressPrefix, span: Span, report: Report): void {
  const [address = '', length] = value.split('/');
  if (length === undefined || parseNetwork(address)?.bytes.join() === bytes.join()) return;
  const network = family === 4 ? quote(`${bytes.join('.')}/${length}`) : 'zeros behind it';
  const message = `only the first ${length} bits of ${quote(value)} are compared`;
  const hint = `write ${network} for the network, or ${quote(address)} for one address`;
  report.add('ADDRESS_HOST_BITS', span, message, hint);
}

function checkPort(value: string, _type: ArgTypeName, span: Span, report: Report): void {
  const range = parseRange(value);
  if (range !== undefined && range.minimum >= 0n && range.maximum <= 65535n && range.minimum <= range.maximum) return;
  report.add(
    'PORT_INVALID',
    span,
    `${quote(value)} is not a port or range of ports`,
    'write it like "443" or "1024:65535"',
  );
}

function createNameCheck(code: DiagnosticCode, what: string, table: NumberByName, maximum: bigint): ValueCheck {
  const names = Object.keys(table);
  return (value, _type, span, report) => {
    const number = parseInteger(value);
    if (names.includes(value) || (number !== undefined && number >= 0n && number <= maximum)) return;
    const close = expandName(value, names) ?? findNearestName(value, names);
    report.add(
      code,
      span,
      `${quote(value)} is not a known ${what}`,
      close === undefined
        ? `use a name such as ${names.slice(0, 8).join(', ')}, or a number`
        : `did you mean ${quote(close)}?`,
    );
  };
}

/** Other names for values. */
const NAME_ALIASES: Readonly<Record<string, string>> = { IPV4: 'AF_INET', IPV6: 'AF_INET6', LOCAL: 'AF_UNIX' };

/** Returns the full name for `tcp`, `inet6` or `established`. */
function expandName(value: string, names: readonly string[]): string | undefined {
  const upper = value.toUpperCase();
  const prefixes = new Set(names.map((name) => name.slice(0, name.indexOf('_') + 1)));
  const candidates = [
    upper,
    ...[...prefixes].map((prefix) => prefix + upper),
    Object.hasOwn(NAME_ALIASES, upper) ? NAME_ALIASES[upper] : undefined,
  ];
  return candidates.find((name) => name !== undefined && names.includes(name));
}

function checkFileType(value: string, _type: ArgTypeName, span: Span, report: Report): void {
  if (Object.hasOwn(FILE_TYPES, value)) return;
  const hint = `known: ${Object.keys(FILE_TYPES).join(', ')}`;
  report.add('FILE_TYPE_UNKNOWN', span, `${quote(value)} is not a type of file`, hint);
}

/** Checks a value of InMap or NotInMap: a number, a range of numbers, or a list of system calls. */
function checkInMap(value: string, type: ArgTypeName, span: Span, report: Report): void {
  if (listName(value) !== undefined) return;
  if (value.includes(':')) checkRange(value, type, span, report);
  else checkNamedNumber(value, type, span, report);
}

/** Checks a number, or a name that stands for a number. */
export function checkNamedNumber(value: string, type: ArgTypeName, span: Span, report: Report): void {
  // The operators that lead here compare numbers only, or values whose type is not known yet.
  switch (ARG_TYPES[type].class as ClassComparedAs<'number'> | 'auto') {
    case 'signed':
    case 'unsigned':
    case 'auto':
      return checkNumberValue(value, type, span, report);
    case 'capability':
    case 'capabilities':
      return checkCapability(value, type, span, report);
    case 'syscall':
      if (parseInteger(value) === undefined) checkSyscallName(value, span, report);
      else checkNumberValue(value, type, span, report);
  }
}

/** True if any architecture has the system call. The compiler checks whether this architecture has it. */
export function isSyscallName(value: string): boolean {
  return ARCHITECTURES.some((architecture) => syscallNumber(value, architecture) !== undefined);
}

function checkSyscallName(value: string, span: Span, report: Report): void {
  if (isSyscallName(value)) return;
  const hint = nearestHint(
    value.replace(/^(\w+\/|__[a-z0-9]+_)?(sys_)?/, ''),
    syscallNames(),
    'use a name such as sys_dup, or a number',
  );
  report.add('SYSCALL_UNKNOWN', span, `${quote(value)} is not a system call`, hint);
}

function checkRange(value: string, type: ArgTypeName, span: Span, report: Report): void {
  const range = value.includes(':') ? parseRange(value) : undefined;
  if (range === undefined && ARG_TYPES[type].class === 'syscall' && value.split(':').length === 2) {
    for (const end of value.split(':')) checkNamedNumber(end, type, span, report);
    return;
  }
  if (range === undefined) {
    const [, from, to] = /^(\w+) ?(?:-|\.\.+|,) ?(\w+)$/.exec(value) ?? [];
    const hint = from === undefined ? 'write it like "0:9"' : `write it with a colon: "${from}:${String(to)}"`;
    report.add('RANGE_INVALID', span, `${quote(value)} is not a range of numbers`, hint);
    return;
  }
  if (range.minimum > range.maximum) {
    report.add(
      'RANGE_INVALID',
      span,
      `the range ${quote(value)} begins after its end`,
      'write the smaller number first',
    );
    return;
  }
  const { minimum, maximum } = typeRange(ARG_TYPES[type]);
  if (range.minimum <= maximum && range.maximum >= minimum) return; // the compiler cuts the rest
  report.add(
    'VALUE_OUT_OF_RANGE',
    span,
    `the range ${quote(value)} has no number of type ${type}: these are from ${minimum} to ${maximum}`,
    'correct the range, or the type of the argument',
  );
}

/** Checks the name of a capability, its number, or the mask of a set of capabilities. */
function checkCapability(value: string, type: ArgTypeName, span: Span, report: Report): void {
  if (parseInteger(value) !== undefined) checkNumberValue(value, type, span, report);
  else checkCapabilityName(value, span, report);
}

export function checkCapabilityName(value: string, span: Span, report: Report): void {
  if (capabilityNumber(value) !== undefined) return;
  const close = findNearestName(value, CAPABILITIES) ?? findNearestName(`CAP_${value}`, CAPABILITIES);
  const hint =
    close === undefined
      ? 'use a name such as CAP_SYS_ADMIN; linux/capability.h lists all names'
      : `did you mean ${quote(close)}?`;
  report.add('CAPABILITY_UNKNOWN', span, `${quote(value)} is not a capability`, hint);
}
