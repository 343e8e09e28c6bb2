/** The messages in the log about a receiver that refuses lines. */
import assert from 'node:assert/strict';
import { Refusals } from '../../../lib/delivery/refusals.js';

describe('the refusals of a receiver', () => {
  it('are in the log at once, and then once a minute with their number', () => {
    let now = 0;
    const lines: object[] = [];
    const log = { error: (detail: object) => void lines.push(detail) };
    const refusals = new Refusals(log as never, { receiver: 'it', lines: 'events' }, { receiver: 'r' }, () => now);
    for (; now <= 60_000; now += 10_000) refusals.add('400', 5);
    assert.deepEqual(lines, [
      { receiver: 'r', reason: '400', requests: 1, lost: 5 },
      { receiver: 'r', reason: '400', requests: 6, lost: 30 },
    ]);
  });
});
