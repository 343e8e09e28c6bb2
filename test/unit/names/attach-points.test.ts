/** Places in programs in words: of an event, and of a policy. */
import assert from 'node:assert/strict';
import { formatAttachPoint, uprobeName } from '../../../lib/names/attach-points.js';

describe('attach points in programs', () => {
  it('of an event and of the policy are the same', () => {
    const places = [
      ['f', { symbol: 'f', offset: 0n }, { symbol: 'f' }],
      ['f+0x10', { symbol: 'f', offset: 16n }, { symbol: 'f', symbolOffset: 16n }],
      ['0x1136', { symbol: '', offset: 0x1136n }, { fileOffset: 0x1136n }],
      ['0x401136', { symbol: '', offset: 0x1136n, address: 0x401136n }, { address: 0x401136n }],
    ] as const;
    for (const [name, event, place] of places) {
      assert.equal(formatAttachPoint(place), name);
      assert.equal(uprobeName({ path: '/a', ...event }), `/a:${name}`);
    }
  });

  it('an offset of 0 that the policy writes stays', () => {
    assert.equal(formatAttachPoint({ symbol: 'f', symbolOffset: 0n }), 'f+0x0');
  });
});
