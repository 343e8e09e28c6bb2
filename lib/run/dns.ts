/** Decodes DNS messages of packets and of answers. Every length is checked: a program chooses all bytes. Pure. */
import { formatIpv6 } from '../names/addresses.js';
import { readDnsName } from '../names/dns.js';

const HEADER_BYTES = 12;
const ANSWERS_MAX = 64;
const IP_PROTOCOL_UDP = 17;
const UDP_HEADER_BYTES = 8;

export interface DnsMessage {
  readonly isAnswer: boolean;
  /** The name that is asked for, in lower case and without the dot at its end. */
  readonly name: string;
  /** A, AAAA, TXT, … as a number. */
  readonly type: number;
  /** Addresses of the answer. */
  readonly addresses: readonly string[];
}

/** Finds the UDP payload of a packet, with or without the header of its link. Undefined if it has none. */
export function udpPayload(packet: Uint8Array): Uint8Array | undefined {
  // ethernet, no header (tunnels), ethernet with a VLAN
  for (const start of [14, 0, 18]) {
    const payload = readIpv4(packet, start) ?? readIpv6(packet, start);
    if (payload !== undefined) return payload;
  }
  return undefined;
}

function readIpv4(packet: Uint8Array, start: number): Uint8Array | undefined {
  const first = packet[start] ?? 0;
  const header = (first & 0xf) * 4;
  if (first >> 4 !== 4 || header < 20 || packet[start + 9] !== IP_PROTOCOL_UDP) return undefined;
  return readUdp(packet, start + header);
}

function readIpv6(packet: Uint8Array, start: number): Uint8Array | undefined {
  if ((packet[start] ?? 0) >> 4 !== 6 || packet[start + 6] !== IP_PROTOCOL_UDP) return undefined;
  return readUdp(packet, start + 40);
}

function readUdp(packet: Uint8Array, start: number): Uint8Array | undefined {
  const size = readU16(packet, start + 4);
  if (size === undefined || size < UDP_HEADER_BYTES) return undefined;
  return packet.subarray(start + UDP_HEADER_BYTES, Math.min(packet.length, start + size));
}

function readU16(bytes: Uint8Array, at: number): number | undefined {
  const [high, low] = [bytes[at], bytes[at + 1]];
  return high === undefined || low === undefined ? undefined : high * 256 + low;
}

/** Undefined for bytes that are no DNS message with exactly one question. */
export function parseDns(bytes: Uint8Array): DnsMessage | undefined {
  const flags = readU16(bytes, 2);
  if (bytes.length < HEADER_BYTES || flags === undefined || readU16(bytes, 4) !== 1) return undefined;
  const isAnswer = (flags & 0x8000) !== 0;
  // a standard query, without the reserved bit
  if ((flags & 0x7840) !== 0) return undefined;
  const answers = readU16(bytes, 6) ?? 0;
  if (!isAnswer && answers !== 0) return undefined;
  const question = readName(bytes, HEADER_BYTES);
  if (question === undefined) return undefined;
  const [type, family] = [readU16(bytes, question.end), readU16(bytes, question.end + 2)];
  if (type === undefined || family !== 1) return undefined;
  const addresses = isAnswer ? readAddresses(bytes, question.end + 4, Math.min(answers, ANSWERS_MAX)) : [];
  return { isAnswer, name: question.name, type, addresses };
}

function readAddresses(bytes: Uint8Array, start: number, count: number): string[] {
  const addresses: string[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const owner = readName(bytes, at);
    if (owner === undefined) break;
    const [type, size] = [readU16(bytes, owner.end), readU16(bytes, owner.end + 8)];
    const data = owner.end + 10;
    if (type === undefined || size === undefined || data + size > bytes.length) break;
    const value = bytes.subarray(data, data + size);
    if (type === 1 && size === 4) addresses.push(value.join('.'));
    if (type === 28 && size === 16) addresses.push(formatIpv6(value));
    at = data + size;
  }
  return addresses;
}

/** Returns the name in lower case, and the position behind it. */
function readName(bytes: Uint8Array, start: number): { readonly name: string; readonly end: number } | undefined {
  const name = readDnsName(bytes, start);
  return name && { name: name.labels.map(formatLabel).join('.').toLowerCase(), end: name.end };
}

/** Bytes other than letters, digits, - and _ become \DDD, as in zone files. */
function formatLabel(label: Uint8Array): string {
  return Array.from(label, (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(character) ? character : `\\${String(byte).padStart(3, '0')}`;
  }).join('');
}
