/** Names of DNS messages: they end within the message, whatever it contains. */
import assert from 'node:assert/strict';
import { readDnsName } from '../../../lib/names/dns.js';

const label = (length: number): number[] => [length, ...Array<number>(length).fill(0x61)];
const read = (bytes: readonly number[], start = 0): unknown => {
  const name = readDnsName(Uint8Array.from(bytes), start);
  return name && [name.labels.map(({ length }) => length), name.end];
};

describe('readDnsName', () => {
  it('follows pointers that lead back, and ends behind the first one', () => {
    assert.deepEqual(read([...label(1), 0, ...label(2), 0xc0, 0, 9], 3), [[2, 1], 8]);
    assert.deepEqual(read([0]), [[], 1]);
  });

  it('refuses pointers to itself, to later bytes, and in a circle', () => {
    assert.equal(read([0xc0, 0]), undefined);
    assert.equal(read([0xc0, 2, 0]), undefined);
    assert.equal(read([...label(1), 0xc0, 0], 2), undefined);
  });

  it('accepts 254 bytes before the root, and no more', () => {
    const most = [...label(63), ...label(63), ...label(63)];
    assert.deepEqual(read([...most, ...label(61), 0]), [[63, 63, 63, 61], 255]);
    assert.equal(read([...most, ...label(62), 0]), undefined);
  });

  it('refuses labels of more than 63 bytes, and what leaves the message', () => {
    assert.equal(read([64, ...Array<number>(64).fill(0x61), 0]), undefined);
    for (const bytes of [[], [3, 0x61], label(3), [0xc0]]) assert.equal(read(bytes), undefined);
  });
});
