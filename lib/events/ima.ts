/** The hash of a file in an event, from the kernel's Integrity Measurement Architecture (IMA). */
import { EventFlag, EventHeader, EventHook, ImaHash } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';

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

/** The hash in the event's record, written as `sha256:HEX`; undefined if it has none. */
export function imaHashOf(slab: Slab, at: number): string | undefined {
  if ((slab.u16(at + EventHeader.flags) & EventFlag.EVENT_IMA_HASH) === 0) return undefined;
  const size = slab.u32(at + EventHeader.size);
  if (size < EventHook.sizeof + ImaHash.sizeof) return undefined;
  const start = at + size - ImaHash.sizeof;
  const algorithm = slab.u32(start + ImaHash.algorithm);
  const [name, bytes] = ALGORITHMS[algorithm] ?? [String(algorithm), ImaHash.digestLength];
  return `${name}:${slab.bytes(start + ImaHash.digest, start + ImaHash.digest + bytes).toString('hex')}`;
}
