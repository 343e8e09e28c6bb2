import assert from 'node:assert/strict';
import { randomChoice } from '../../../random.js';
import { GroupKeys } from '../../../../lib/wire/encode/group-keys.js';
import { GroupHeader, GroupLimit, StringHash } from '../../../../lib/wire/layout.gen.js';

/** As may_be_key() of bpf/group.bpf.h. */
function hasKey(keys: GroupKeys, number: bigint): boolean {
  const header = new DataView(new ArrayBuffer(GroupHeader.sizeof));
  keys.encode(header, 0);
  const word = Number(BigInt.asUintN(32, number ^ (number >> 32n)));
  const hash = Math.imul(word, StringHash.STRING_HASH_FACTOR) >>> (32 - GroupLimit.GROUP_KEY_BITS);
  return ((header.getUint8(GroupHeader.keys + (hash >> 3)) >> (hash & 7)) & 1) === 1;
}

/** As may_be_ipv4_key() and may_be_ipv6_key() of bpf/group.bpf.h. */
function hasAddress(keys: GroupKeys, bytes: readonly number[]): boolean {
  const buffer = Buffer.from(bytes);
  if (bytes.length === 4) {
    return [32, 24, 16].some((bits) =>
      hasKey(keys, BigInt.asUintN(bits, BigInt(buffer.readUInt32LE())) ^ BigInt(bits)),
    );
  }
  return [64, 48, 32].some((bits) => hasKey(keys, BigInt.asUintN(bits, buffer.readBigUInt64LE())));
}

const toDigits = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');

describe('hashes of the numbers and networks of a group', () => {
  it('a number has its hash until the last hook with it has gone', () => {
    const keys = new GroupKeys();
    for (const number of [443n, 0xffff_ffff_ffff_fff3n, 443n]) keys.countNumber(number, 1);
    assert.deepEqual(
      [443n, 0xffff_ffff_ffff_fff3n, 80n].map((number) => hasKey(keys, number)),
      [true, true, false],
    );
    keys.countNumber(443n, -1);
    assert.equal(hasKey(keys, 443n), true);
    keys.countNumber(443n, -1);
    assert.equal(hasKey(keys, 443n), false);
  });

  it('each address of a network has a hash of the network, whatever its length', () => {
    const pick = randomChoice(1);
    for (let round = 0; round < 300; round++) {
      const family = pick(2) === 0 ? 4 : 6;
      const network = Array.from({ length: family === 4 ? 4 : 16 }, () => pick(256));
      const bits = pick(8 * network.length + 1);
      const keys = new GroupKeys();
      const digits = toDigits(network).slice(0, bits);
      keys.countNetwork(family, digits, 1);
      for (let i = 0; i < 10; i++) {
        const inside = digits + toDigits(network.map(() => pick(256))).slice(bits);
        const bytes = (inside.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
        assert.ok(hasAddress(keys, bytes), `${bytes.join('.')} in ${network.join('.')}/${bits}`);
      }
      keys.countNetwork(family, digits, -1);
      assert.ok(!hasAddress(keys, network), 'it has gone');
    }
  });

  it('other addresses have none, also those near a network', () => {
    const keys = new GroupKeys();
    for (const [family, network, bits] of [
      [4, [10, 1, 0, 0], 16],
      [4, [127, 0, 0, 2], 32],
      [4, [192, 168, 7, 0], 24],
      [6, [0x20, 0x01, 0x0d, 0xb8, 0, 1], 48],
    ] as const)
      keys.countNetwork(family, toDigits(network).padEnd(128, '0').slice(0, bits), 1);
    const bytes = [...Array(200).keys()];
    const others = [
      ...bytes.map((i) => [127, 0, 0, i]),
      ...bytes.map((i) => [192, 168, i, 1]),
      ...bytes.map((i) => [10, i, 0, 1]),
      ...bytes.map((i) => [0x20, 0x01, 0x0d, 0xb8, 0, i, ...Array<number>(10).fill(1)]),
    ].filter((address) => hasAddress(keys, address));
    assert.ok(others.length >= 4 && others.length < 12, others.join(' '));
  });
});
