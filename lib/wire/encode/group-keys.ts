/**
 * The hashes of the numbers and networks that lead to the rules of a group. Most calls then need no look-up: see
 * may_be_key() of bpf/group.bpf.h. Pure.
 */
import { GroupHeader, GroupLimit } from '../layout.gen.js';
import { hashBytes, setCountedBits } from './tables.js';

const { GROUP_KEY_BITS } = GroupLimit;
/** Bytes of a number. */
const WORD = 8;
/** With more free bits, a network may have each hash. */
const FREE_BITS_MAX = GROUP_KEY_BITS;
/** How many bits of a network are hashed: as many of these as it has, or, of several networks, the fewest. */
const HASHED_BITS = { 4: [32, 24, 16], 6: [64, 48, 32] } as const;

/** Counts the numbers and networks that have each hash. */
export class GroupKeys {
  readonly #counts = new Uint32Array(1 << GROUP_KEY_BITS);

  countNumber(value: bigint, sign: 1 | -1): void {
    this.#count(hashNumber(value), sign);
  }

  /** `digits`: the bits of the network, as text. */
  countNetwork(family: 4 | 6, digits: string, sign: 1 | -1): void {
    const lengths = HASHED_BITS[family];
    const hashed = lengths.find((length) => length <= digits.length) ?? lengths[2];
    const free = Math.max(0, hashed - digits.length);
    if (free > FREE_BITS_MAX) {
      for (let hash = 0; hash < this.#counts.length; hash++) this.#count(hash, sign);
      return;
    }
    const first = BigInt(`0b${digits.slice(0, hashed).padEnd(8 * WORD, '0')}`);
    for (let i = 0n; i < 1n << BigInt(free); i++) {
      const number = toMemoryOrder(first | (i << BigInt(8 * WORD - hashed)));
      this.#count(hashNumber(family === 4 ? number ^ BigInt(hashed) : number), sign);
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

/** The number that the program reads from memory, where the address begins with the upper bits of `bits`. */
function toMemoryOrder(bits: bigint): bigint {
  const bytes = new DataView(new ArrayBuffer(WORD));
  bytes.setBigUint64(0, bits);
  return bytes.getBigUint64(0, true);
}

function hashNumber(number: bigint): number {
  const bytes = new DataView(new ArrayBuffer(WORD));
  bytes.setBigUint64(0, number, true);
  return hashBytes(new Uint8Array(bytes.buffer), 'end', GROUP_KEY_BITS);
}
