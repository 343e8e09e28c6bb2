/**
 * The hashes of the numbers and networks that lead to the rules of a group. Most calls then need no look-up: see
 * may_be_key() of bpf/group.bpf.h. Pure.
 */
import { GroupHeader, GroupLimit } from '../layout.gen.js';
import { hashBytes, setCountedBits } from './tables.js';

const { GROUP_KEY_BITS, GROUP_IPV4_BITS, GROUP_IPV6_BITS } = GroupLimit;
/** With more free bits, a network may have each hash. */
const FREE_BITS_MAX = GROUP_KEY_BITS;

/** Counts the numbers and networks that have each hash. */
export class GroupKeys {
  readonly #counts = new Uint32Array(1 << GROUP_KEY_BITS);

  countNumber(value: bigint, sign: 1 | -1): void {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setBigUint64(0, value, true);
    this.#count(hashKey(new Uint8Array(bytes.buffer)), sign);
  }

  /** `digits`: the bits of the network, as text. */
  countNetwork(family: 4 | 6, digits: string, sign: 1 | -1): void {
    const hashed = family === 4 ? GROUP_IPV4_BITS : GROUP_IPV6_BITS;
    const free = Math.max(0, hashed - digits.length);
    if (free > FREE_BITS_MAX) {
      for (let hash = 0; hash < this.#counts.length; hash++) this.#count(hash, sign);
      return;
    }
    const first = Number.parseInt(digits.slice(0, hashed).padEnd(hashed, '0'), 2);
    for (let i = 0; i < 2 ** free; i++) {
      const bytes = new DataView(new ArrayBuffer(4));
      bytes.setUint32(0, (first + i) * 2 ** (32 - hashed));
      this.#count(hashKey(new Uint8Array(bytes.buffer, 0, hashed / 8)), sign);
    }
  }

  #count(hash: number, sign: 1 | -1): void {
    this.#counts[hash] = (this.#counts[hash] ?? 0) + sign;
  }

  /** Writes the member of struct group_header. */
  encode(view: DataView, at: number): void {
    setCountedBits(view, at + GroupHeader.keys, this.#counts);
  }
}

/** The hash of bytes that the program reads from memory. */
function hashKey(bytes: Uint8Array): number {
  return hashBytes(bytes, 'end', GROUP_KEY_BITS);
}
