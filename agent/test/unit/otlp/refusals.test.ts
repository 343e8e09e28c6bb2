/** The messages in the log about a collector that refuses events. */
import assert from 'node:assert/strict';
import { Refusals } from '../../../lib/otlp/refusals.js';

describe('the refusals of a collector', () => {
  it('are in the log at once, and then once a minute with their number', () => {
    let now = 0;
    const lines: object[] = [];
    const log = { error: (detail: object) => void lines.push(detail) };
    const refusals = new Refusals(log as never, () => now);
    for (; now <= 60_000; now += 10_000) refusals.add('400', 5);
    assert.deepEqual(lines, [
      { reason: '400', requests: 1, lost: 5 },
      { reason: '400', requests: 6, lost: 30 },
    ]);
  });
});
