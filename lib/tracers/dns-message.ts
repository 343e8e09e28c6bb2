/**
 * Decodes DNS messages (RFC 1035). Everybody on the network can send one: every length and offset is checked against the
 * bytes that are there, pointers only lead back, and the number of records and names is limited.
 */
import { formatIpv6 } from '../names/addresses.js';
import { readDnsName } from '../names/dns.js';

export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  /** NOERROR, NXDOMAIN, … */
  readonly code: string;
  readonly question: { readonly name: string; readonly type: string } | undefined;
  readonly answers: readonly DnsAnswer[];
  /** The message is incomplete: it was truncated, or more of it was not read. */
  readonly truncated: boolean;
}

interface DnsAnswer {
  readonly type: string;
  /** An address, a name, or the text of a TXT record. For other types, the number of bytes. */
  readonly value: string;
  readonly ttl: number;
}

const HEADER = 12;
/** Answers that are decoded. */
const ANSWERS_MAX = 32;

const TYPES: Readonly<Record<number, string>> = {
  1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 12: 'PTR', 13: 'HINFO', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR',
  39: 'DNAME', 41: 'OPT', 43: 'DS', 46: 'RRSIG', 47: 'NSEC', 48: 'DNSKEY', 50: 'NSEC3', 52: 'TLSA', 64: 'SVCB', 65: 'HTTPS',
  251: 'IXFR', 252: 'AXFR', 255: 'ANY', 257: 'CAA',
}; // prettier-ignore

const CODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE']; // prettier-ignore

class EndOfMessage extends Error {}

/** Reads the bytes of a message. Throws EndOfMessage instead of reading beyond them. */
class Reader {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  u8(): number {
    const value = this.bytes[this.at];
    if (value === undefined) throw new EndOfMessage();
    this.at += 1;
    return value;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new EndOfMessage();
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }

  name(): string {
    const name = readDnsName(this.bytes, this.at);
    if (name === undefined) throw new EndOfMessage();
    this.at = name.end;
    return name.labels.length === 0 ? '.' : name.labels.map(formatLabel).join('.');
  }
}

/** Bytes outside of printable ASCII are written as in zone files: `\DDD`. A dot in a label is escaped, too. */
function formatLabel(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    if (byte === 0x2e || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte > 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}

/** Returns undefined if the bytes are no DNS message. `isComplete` is false if more bytes followed that were not read. */
export function decodeDns(bytes: Uint8Array, isComplete = true): DnsMessage | undefined {
  if (bytes.length < HEADER) return undefined;
  const reader = new Reader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const [questions, answerCount] = [reader.u16(), reader.u16()];
  reader.at = HEADER;
  // other programs use the port, too: only usual messages are shown
  if (questions > 1 || answerCount > 4096 || ((flags >> 11) & 15) > 6) return undefined;
  let question: DnsMessage['question'];
  const answers: DnsAnswer[] = [];
  let isCut = (flags & 0x200) !== 0 || !isComplete;
  try {
    if (questions === 1) question = { name: reader.name(), type: readType(reader) };
    const count = Math.min(answerCount, ANSWERS_MAX);
    for (let i = 0; i < count; i++) answers.push(readAnswer(reader));
    if (count < answerCount) isCut = true;
  } catch (error) {
    if (!(error instanceof EndOfMessage)) throw error;
    // without its question, it is no DNS message
    if (questions === 1 && question === undefined) return undefined;
    isCut = true;
  }
  const code = flags & 15;
  return { id, isResponse: (flags & 0x8000) !== 0, code: CODES[code] ?? `code ${code}`, question, answers, truncated: isCut }; // prettier-ignore
}

/** Reads a type and a class. */
function readType(reader: Reader): string {
  const type = reader.u16();
  reader.u16();
  return typeName(type);
}

function typeName(type: number): string {
  return TYPES[type] ?? `TYPE${type}`;
}

function readAnswer(reader: Reader): DnsAnswer {
  reader.name();
  const type = readType(reader);
  const ttl = reader.u32();
  const length = reader.u16();
  const end = reader.at + length;
  const value = readData(reader, type, length);
  // a name in the data must end with the data
  if (reader.at > end || end > reader.bytes.length) throw new EndOfMessage();
  reader.at = end;
  return { type, value, ttl };
}

function readData(reader: Reader, type: string, length: number): string {
  switch (type) {
    case 'A':
      if (length !== 4) throw new EndOfMessage();
      return reader.take(4).join('.');
    case 'AAAA':
      if (length !== 16) throw new EndOfMessage();
      return formatIpv6(reader.take(16));
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'DNAME':
      return reader.name();
    case 'MX': {
      const preference = reader.u16();
      return `${preference} ${reader.name()}`;
    }
    case 'SRV': {
      const [priority, weight, port] = [reader.u16(), reader.u16(), reader.u16()];
      return `${priority} ${weight} ${port} ${reader.name()}`;
    }
    case 'TXT': {
      const data = reader.take(length);
      const first = data.subarray(1, 1 + Math.min(data[0] ?? 0, data.length - 1));
      return JSON.stringify(formatLabel(first).replaceAll('\\.', '.'));
    }
    default:
      reader.take(length);
      return `${length} bytes`;
  }
}
