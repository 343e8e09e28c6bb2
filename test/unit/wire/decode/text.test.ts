/** Converts bytes to strings and back. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { quoteUnsafe } from '../../../../lib/output/escape.js';
import { stringMember } from '../../../../lib/output/json-fields.js';
import { decodeString } from '../../../../lib/wire/surrogate-escape.js';

const decodeBytes = (...bytes: number[]): string => decodeString(Buffer.from(bytes), 0, bytes.length);

/** Recovers the bytes of a string, with the code of docs/events.md. */
function toOriginalBytes(text: string): Buffer {
  const parts = [...text].map((c) =>
    c >= '\udc80' && c <= '\udcff' ? Buffer.of(c.charCodeAt(0) & 0xff) : Buffer.from(c),
  );
  return Buffer.concat(parts);
}

describe('strings of the kernel', () => {
  const ROWS: readonly (readonly [bytes: readonly number[], text: string])[] = [
    [[0x61, 0x62], 'ab'],
    [[...Buffer.from('grüße 🚀')], 'grüße 🚀'],
    // A real U+FFFD.
    [[0xef, 0xbf, 0xbd], '\ufffd'],
    [[0x61, 0xff, 0x62], 'a\udcffb'],
    [[0xef, 0xbf, 0xbd, 0x80], '\ufffd\udc80'],
    // Truncated, overlong, a surrogate, beyond the last character.
    [[0xc3], '\udcc3'],
    [[0xe2, 0x82], '\udce2\udc82'],
    [[0xc0, 0xaf], '\udcc0\udcaf'],
    [[0xe0, 0x80, 0xaf], '\udce0\udc80\udcaf'],
    [[0xed, 0xb2, 0x80], '\udced\udcb2\udc80'],
    [[0xf0, 0x80, 0x80, 0x80], '\udcf0\udc80\udc80\udc80'],
    [[0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
    [[0xf5, 0x80, 0x80, 0x80], '\udcf5\udc80\udc80\udc80'],
  ];
  for (const [bytes, text] of ROWS) {
    it(`${Buffer.from(bytes).toString('hex')}`, () => {
      assert.equal(decodeBytes(...bytes), text);
      assert.deepEqual(toOriginalBytes(text), Buffer.from(bytes));
    });
  }

  it('any bytes can be recovered, also from JSON', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = decodeBytes(...bytes);
        assert.deepEqual(toOriginalBytes(text), Buffer.from(bytes));
        const { a, a_bytes: raw } = JSON.parse(`{${stringMember('a', text)}}`) as { a: string; a_bytes?: string };
        assert.doesNotMatch(a, /\p{Surrogate}/u);
        assert.deepEqual(raw === undefined ? Buffer.from(a) : Buffer.from(raw, 'base64'), Buffer.from(bytes));
      }),
    );
  });

  it('JSON has U+FFFD and all bytes, compact lines have the byte', () => {
    const text = decodeBytes(0x2f, 0x61, 0xff);
    assert.equal(stringMember('path', text), '"path":"/a\ufffd","path_bytes":"L2H/"');
    assert.equal(quoteUnsafe(text), '"/a\\udcff"');
  });
});
