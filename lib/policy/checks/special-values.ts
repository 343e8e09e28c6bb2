/** Checks values that are neither plain numbers nor plain texts: addresses, ports, names of the kernel's headers. */
import { isIPv4, isIPv6 } from 'node:net';
import type { DiagnosticCode } from '../codes.js';
import { listName } from '../lists.js';
import { nearest } from '../nearest.js';
import type { Span } from '../places.js';
import { quote, type Report } from '../report.js';
import { parseInteger, parseRange } from '../values.js';
import { ARG_TYPES, type ArgTypeName, type Operator } from '../vocabulary.js';
import { CAPABILITIES, FAMILIES, FILE_TYPES, PROTOCOLS, TCP_STATES } from './network-names.js';
import { checkNumber, checkText } from './plain-values.js';

type Check = (value: string, type: ArgTypeName, span: Span, report: Report) => void;

/** By operator; the others compare plain numbers or texts. */
export const OTHER_VALUES: Readonly<Partial<Record<Operator, Check>>> = {
  SAddr: checkAddress,
  NotSAddr: checkAddress,
  DAddr: checkAddress,
  NotDAddr: checkAddress,
  SPort: checkPort,
  NotSPort: checkPort,
  DPort: checkPort,
  NotDPort: checkPort,
  Protocol: named('PROTOCOL_UNKNOWN', 'protocol', PROTOCOLS, 255n),
  Family: named('FAMILY_UNKNOWN', 'address family', FAMILIES, 255n),
  State: named('STATE_UNKNOWN', 'TCP state', TCP_STATES, 31n),
  FileType: checkFileType,
  NotFileType: checkFileType,
  InMap: checkInMap,
  NotInMap: checkInMap,
  InRange: checkRange,
  NotInRange: checkRange,
  CapabilitiesGained: (value, _type, span, report) => checkCapabilityName(value, span, report),
  SubString: (value, _type, span, report) => checkText(value, 'SubString', span, report),
  SubStringIgnCase: (value, _type, span, report) => checkText(value, 'SubStringIgnCase', span, report),
  CelExpr: (value, _type, span, report) => checkText(value, 'CelExpr', span, report),
};

function checkAddress(value: string, _type: ArgTypeName, span: Span, report: Report): void {
  const [address = '', bits, ...rest] = value.split('/');
  const limit = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : undefined;
  const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (limit ?? 0));
  if (limit !== undefined && fits && rest.length === 0) return;
  const hint = value.includes('${')
    ? 'put the address in place of the variable'
    : 'such as "10.0.0.1", "10.0.0.0/8" or "fd00::/8"';
  report.add('ADDRESS_INVALID', span, `${quote(value)} is no address or network`, hint);
}

function checkPort(value: string, _type: ArgTypeName, span: Span, report: Report): void {
  const range = parseRange(value);
  if (range !== undefined && range.minimum >= 0n && range.maximum <= 65535n && range.minimum <= range.maximum) return;
  report.add('PORT_INVALID', span, `${quote(value)} is no port or range of ports`, 'such as "443" or "1024:65535"');
}

function named(code: DiagnosticCode, what: string, names: readonly string[], maximum: bigint): Check {
  return (value, _type, span, report) => {
    const number = parseInteger(value);
    if (names.includes(value) || (number !== undefined && number >= 0n && number <= maximum)) return;
    const close = nearest(value, names);
    report.add(
      code,
      span,
      `${quote(value)} is no ${what}`,
      close === undefined ? `such as ${names.slice(0, 8).join(', ')}, or a number` : `did you mean ${quote(close)}?`,
    );
  };
}

function checkFileType(value: string, _type: ArgTypeName, span: Span, report: Report): void {
  if ((FILE_TYPES as readonly string[]).includes(value)) return;
  report.add('FILE_TYPE_UNKNOWN', span, `${quote(value)} is no type of file`, `known: ${FILE_TYPES.join(', ')}`);
}

/** Members of a map: numbers, ranges of them, or a list of system calls. */
function checkInMap(value: string, type: ArgTypeName, span: Span, report: Report): void {
  if (listName(value) !== undefined) return;
  if (value.includes(':')) checkRange(value, type, span, report);
  else if (ARG_TYPES[type].class === 'capability') checkCapability(value, 'Equal', type, span, report);
  else checkNumber(value, 'Equal', type, span, report);
}

function checkRange(value: string, type: ArgTypeName, span: Span, report: Report): void {
  const range = value.includes(':') ? parseRange(value) : undefined;
  if (range === undefined) {
    report.add('RANGE_INVALID', span, `${quote(value)} is no range of numbers`, 'such as "0:9"');
    return;
  }
  if (range.minimum > range.maximum) {
    report.add('RANGE_INVALID', span, `${quote(value)} begins after its end`, 'write the smaller number first');
    return;
  }
  for (const end of value.split(':')) checkNumber(end, 'Equal', type, span, report);
}

/** One capability, or for a set of them a mask. */
export function checkCapability(
  value: string,
  operator: Operator,
  type: ArgTypeName,
  span: Span,
  report: Report,
): void {
  if (parseInteger(value) !== undefined) checkNumber(value, operator, type, span, report);
  else checkCapabilityName(value, span, report);
}

export function checkCapabilityName(value: string, span: Span, report: Report): void {
  if ((CAPABILITIES as readonly string[]).includes(value)) return;
  const close = nearest(value, CAPABILITIES) ?? nearest(`CAP_${value}`, CAPABILITIES);
  const hint =
    close === undefined ? 'such as CAP_SYS_ADMIN; linux/capability.h has them all' : `did you mean ${quote(close)}?`;
  report.add('CAPABILITY_UNKNOWN', span, `${quote(value)} is no capability`, hint);
}
