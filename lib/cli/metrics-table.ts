/** The metrics of a replay as tables: the sums of each series, and what the recording does not decide. */
import type { MetricDoubt, MetricSum, ReplayedMetric } from '../../types/index.js';
import { drawBuckets, formatNumber, listSeries } from './stat-table.js';
import { escapeControls, formatTable, toOneLine } from '../output/terminal-text.js';

/** Formats each metric as a title, its series with the largest first, and its histogram. */
export function formatMetrics(metrics: readonly ReplayedMetric[]): string {
  return metrics.flatMap((metric) => [...formatMetric(metric), '']).map((line) => `${escapeControls(line)}\n`).join(''); // prettier-ignore
}

function formatMetric(metric: ReplayedMetric): string[] {
  const { policyName, name, kind, isDuration, labelNames, total } = metric;
  const rows = [...listSeries(metric)]
    .sort((a, b) => compareSums(b.sum, a.sum))
    .map(({ labels, sum }) => [...formatSum(metric, sum), ...labels.map(toOneLine)]);
  const head = [...HEADS[kind], ...labelNames.map((label) => label.toUpperCase())];
  const bars = kind === 'histogram' ? drawBuckets(total.buckets ?? [], isDuration) : [];
  const table = escapeControls(formatTable([head, ...rows]))
    .trimEnd()
    .split('\n');
  return [`${policyName}: ${name}`, ...table, ...bars, ...metric.doubts.map(formatDoubt)];
}

const HEADS = { counter: ['CALLS'], sum: ['SUM', 'CALLS'], histogram: ['CALLS', 'MEAN'] } as const;

function formatSum({ kind, isDuration }: ReplayedMetric, { calls, sum }: MetricSum): string[] {
  switch (kind) {
    case 'counter':
      return [String(calls)];
    case 'sum':
      // exact, unlike those of `polytrace stat`
      return [String(sum), String(calls)];
    case 'histogram':
      return [String(calls), formatNumber(calls === 0n ? 0 : Number(sum) / Number(calls), isDuration)];
  }
}

function compareSums(a: MetricSum, b: MetricSum): number {
  return Number(a.sum - b.sum) || Number(a.calls - b.calls);
}

const AFFECTED = {
  calls: 'not counted',
  sum: 'without their value',
  label: 'under a label that may be wrong',
} as const;

function formatDoubt({ code, about, meaning, affects, calls }: MetricDoubt): string {
  const effect = code === 'CALLS_NOT_RECORDED' ? `${calls} calls were recorded` : `${calls} calls ${AFFECTED[affects]}`;
  return `unknown: ${code} ${about}: ${meaning} (${effect})`;
}
