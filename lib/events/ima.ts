/** Reads the hash of a file in an event. The kernel's Integrity Measurement Architecture (IMA) computes it. */
import { EventFlag, EventHeader, EventHook, ImaHash } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';

/** Names and sizes (in bytes) of digests. The index is the number in linux/hash_info.h. */
const ALGORITHMS: readonly (readonly [name: string, bytes: number])[] = [
  ['md4', 16],
  ['md5', 16],
  ['sha1', 20],
  ['rmd160', 20],
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
  ['sha224', 28],
];

/** Returns the hash as `sha256:HEX`; undefined if the record has none. */
export function readImaHash(chunk: RecordChunk, at: number): string | undefined {
  if ((chunk.u16(at + EventHeader.flags) & EventFlag.EVENT_IMA_HASH) === 0) return undefined;
  const size = chunk.u32(at + EventHeader.size);
  if (size < EventHook.sizeof + ImaHash.sizeof) return undefined;
  const start = at + size - ImaHash.sizeof;
  const algorithm = chunk.u32(start + ImaHash.algorithm);
  const [name, bytes] = ALGORITHMS[algorithm] ?? [String(algorithm), ImaHash.digestLength];
  return `${name}:${chunk.bytes(start + ImaHash.digest, start + ImaHash.digest + bytes).toString('hex')}`;
}
