import assert from 'node:assert/strict';
import { formatTime } from '../../../lib/process/clock.js';

describe('times of day', () => {
  const SECOND = 1_795_531_009_000_000_000n;

  it('have nine digits after the second', () => {
    assert.equal(formatTime(SECOND + 7n), '2026-11-24T14:36:49.000000007Z');
    assert.equal(formatTime(SECOND + 875_507_609n), '2026-11-24T14:36:49.875507609Z');
  });

  it('are right when the second changes, and for an earlier time after a later one', () => {
    const times = [SECOND, SECOND + 999_999_999n, SECOND + 1_000_000_000n, SECOND, 0n].map(formatTime);
    assert.deepEqual(times, [
      '2026-11-24T14:36:49.000000000Z',
      '2026-11-24T14:36:49.999999999Z',
      '2026-11-24T14:36:50.000000000Z',
      '2026-11-24T14:36:49.000000000Z',
      '1970-01-01T00:00:00.000000000Z',
    ]);
  });
});
