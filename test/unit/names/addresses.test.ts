import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { formatIpv4, formatIpv6 } from '../../../lib/names/addresses.js';

describe('IP addresses as strings', () => {
  it('IPv4', () => {
    assert.equal(formatIpv4(192, 0, 2, 255), '192.0.2.255');
    assert.equal(formatIpv4(0, 0, 0, 0), '0.0.0.0');
  });

  const six: readonly (readonly [groups: readonly number[], text: string])[] = [
    [[0, 0, 0, 0, 0, 0, 0, 0], '::'],
    [[0, 0, 0, 0, 0, 0, 0, 1], '::1'],
    [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], '2001:db8::1'],
    [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], '2001:db8::'],
    [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], '2001:db8:0:1:1:1:1:1'],
    [[0x2001, 0, 0, 1, 0, 0, 0, 1], '2001:0:0:1::1'],
    [[0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], '2001:db8::1:0:0:1'],
    [[0xfe80, 0xabc, 0xd, 1, 2, 3, 4, 5], 'fe80:abc:d:1:2:3:4:5'],
    [[0, 0, 0, 0, 0, 0xffff, 0xc000, 0x20a], '::ffff:192.0.2.10'],
    [[0, 0, 0, 0, 0, 0xfffe, 0xc000, 0x20a], '::fffe:c000:20a'],
  ];
  const toBytes = (groups: readonly number[]): Uint8Array => Uint8Array.from(groups.flatMap((g) => [g >> 8, g & 0xff]));
  for (const [groups, text] of six) {
    it(text, () => assert.equal(formatIpv6(toBytes(groups)), text));
  }

  it('any sixteen bytes are written in the same way as the URL standard does', () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const text = formatIpv6(toBytes(groups));
        assert.ok(isIPv6(text), text);
        if (!text.includes('.')) assert.equal(new URL(`http://[${text}]`).hostname, `[${text}]`);
      }),
    );
  });
});
