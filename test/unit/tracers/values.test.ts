/** Numbers are short enough for columns. */
import assert from 'node:assert/strict';
import { Histogram } from '../../../lib/tracers/histogram.js';
import { drawHistogram } from '../../../lib/tracers/index.js';
import { formatBytes, formatDuration, formatResult } from '../../../lib/tracers/values.js';

describe('values of tracers', () => {
  for (const [ns, text] of [
    [0n, '0ns'], [999n, '999ns'], [1000n, '1.0us'], [99_949n, '99.9us'], [100_000n, '100us'], [999_949n, '1000us'], [999_950n, '1.0ms'],
    [1_500_000n, '1.5ms'], [10n ** 9n, '1.0s'], [599n * 10n ** 9n, '599s'], [600n * 10n ** 9n, '10m'], [36_000n * 10n ** 9n, '10h'],
  ] as const) {
    it(`${ns} ns: ${text}`, () => assert.equal(formatDuration(ns), text));
  } // prettier-ignore

  for (const [count, text] of [[0, '0'], [1023, '1023'], [1024, '1.0K'], [1_048_575, '1.0M'], [5n * 1024n ** 3n, '5.0G'], [2 ** 50, '1.0P']] as const) {
    it(`${count} bytes: ${text}`, () => assert.equal(formatBytes(count), text));
  } // prettier-ignore

  it('results are numbers or names of errors', () => {
    assert.deepEqual([3n, -2n, -512n, -4000n, -5000n].map(formatResult), ['3', 'ENOENT', 'ERESTARTSYS', 'error 4000', '-5000']); // prettier-ignore
  });

  it('a histogram has quantiles that are at most the longest duration', () => {
    const histogram = new Histogram();
    assert.equal(drawHistogram({ name: 'x', counts: histogram.counts, unitNs: 1000n }, 80), '');
    for (let i = 0; i < 99; i++) histogram.add(10_000n);
    histogram.add(9_000_000_000_000_000_000n);
    histogram.add(0n);
    assert.equal(histogram.quantileNs(0.5), 16_000n);
    assert.equal(histogram.quantileNs(1), 9_000_000_000_000_000_000n);
    assert.equal(histogram.count, 101);
    const text = drawHistogram({ name: 'x', counts: histogram.counts, unitNs: 1000n }, 20);
    assert.equal(text.split('\n').length, histogram.counts.length + 2);
  });
});
