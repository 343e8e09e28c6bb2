/** Samples of metrics for tests. */
import type { Metric, MetricsSample, MetricSum } from 'polytrace';

export const SINCE = new Date('2026-01-01T00:00:00Z');

type Row = readonly [labels: readonly string[], sum: MetricSum];

export const calls = (count: number | bigint, sum: number | bigint = 0): MetricSum => ({
  calls: BigInt(count),
  sum: BigInt(sum),
});

export function createMetric(rows: readonly Row[], more: Partial<Metric> = {}): Metric {
  return {
    policyName: 'p',
    name: 'execs',
    kind: 'counter',
    isDuration: false,
    since: SINCE,
    labelNames: ['binary'],
    series: rows.map(([labels, sum]) => ({ labels, ...sum })),
    total: calls(rows.reduce((all, [, sum]) => all + sum.calls, more.other?.calls ?? 0n)),
    ...more,
  };
}

export const createSample = (...metrics: readonly Metric[]): MetricsSample => ({
  time: new Date('2026-01-01T00:01:00Z'),
  metrics,
});
