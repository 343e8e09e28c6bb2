/** Formats attach points in programs, of events and of policies. */
import assert from 'node:assert/strict';
import { formatAttachPoint, uprobeName } from '../../../lib/names/attach-points.js';

describe('attach points in programs', () => {
  it('are formatted in the same way for an event and for a policy', () => {
    const attachPoints = [
      ['f', { symbol: 'f', offset: 0n }, { symbol: 'f' }],
      ['f+0x10', { symbol: 'f', offset: 16n }, { symbol: 'f', symbolOffset: 16n }],
      ['0x1136', { symbol: '', offset: 0x1136n }, { fileOffset: 0x1136n }],
      ['0x401136', { symbol: '', offset: 0x1136n, address: 0x401136n }, { address: 0x401136n }],
    ] as const;
    for (const [name, event, text] of attachPoints) {
      assert.equal(formatAttachPoint(text), name);
      assert.equal(uprobeName({ path: '/a', ...event }), `/a:${name}`);
    }
  });

  it('an offset of 0 in the policy is kept', () => {
    assert.equal(formatAttachPoint({ symbol: 'f', symbolOffset: 0n }), 'f+0x0');
  });
});
