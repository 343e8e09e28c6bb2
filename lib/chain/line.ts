/** The lines of a chain: JSON objects whose last member has their number and the hash of the line before. */
import { createHash } from 'node:crypto';

/** The last line of a chain, or of a part of it. */
export interface ChainPosition {
  /** The first line of a chain has 1. 0: there is no line. */
  readonly sequence: number;
  /** SHA-256 of the line without its newline, in hexadecimal digits. */
  readonly hash: string;
}

export interface ChainLink {
  readonly sequence: number;
  /** The hash of the line before. */
  readonly previous: string;
}

export const CHAIN_START: ChainPosition = { sequence: 0, hash: '0'.repeat(64) };

/** The link and the end of the object. A link has at most this length. */
const LINK = /,"chain":\{"seq":(\d{1,15}),"prev":"([0-9a-f]{64})"\}\}$/;
const LINK_LENGTH = 120;

export function hashLine(line: Uint8Array): string {
  return createHash('sha256').update(line).digest('hex');
}

/** Adds the link to a line, which is a JSON object with at least one member. Neither line has a newline. */
export function chainLine(line: Uint8Array, { sequence, hash }: ChainPosition): Buffer {
  const link = `,"chain":{"seq":${sequence + 1},"prev":"${hash}"}}`;
  return Buffer.concat([line.subarray(0, -1), Buffer.from(link)]);
}

/** Returns undefined for a line without a link. */
export function parseLink(line: Uint8Array): ChainLink | undefined {
  const tail = Buffer.from(line.buffer, line.byteOffset, line.length).subarray(-LINK_LENGTH).toString('latin1');
  const found = LINK.exec(tail);
  return found === null ? undefined : { sequence: Number(found[1]), previous: found[2] as string };
}
