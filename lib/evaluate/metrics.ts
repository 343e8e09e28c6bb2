/** Adds up the sums of the hooks of a policy to its metrics, as lib/tracer/metrics.ts does. Pure. */
import { hookValues } from '../compiled/compiled-hook.js';
import type { CompiledCount, CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import type { Metric } from '../../types/metrics.js';
import { addSums, NO_CALLS, toMetricSum, type RawSum } from '../wire/decode/counts.js';

/** A metric while its hooks are added up. */
export interface SummedMetric {
  readonly count: CompiledCount;
  readonly isDuration: boolean;
  readonly series: Map<string, { readonly labels: readonly string[]; sum: RawSum }>;
  other: RawSum;
}

/** Returns the metric that a Count counts into. */
export function findOrAddMetric(
  metrics: Map<string, SummedMetric>,
  hook: CompiledHook,
  count: CompiledCount,
): SummedMetric {
  const before = metrics.get(count.metric);
  if (before !== undefined) return before;
  const value = count.value === undefined ? undefined : hookValues(hook)[count.value];
  const added = { count, isDuration: value?.source === 'duration', series: new Map(), other: NO_CALLS };
  metrics.set(count.metric, added);
  return added;
}

/** Adds the sum of one key to the series with these texts. */
export function addSeries({ series }: SummedMetric, labels: readonly string[], sum: RawSum): void {
  const key = JSON.stringify(labels);
  const before = series.get(key);
  series.set(key, { labels, sum: before === undefined ? sum : addSums(before.sum, sum) });
}

export function toMetric(
  { name: policyName, namespace }: Pick<CompiledPolicy, 'name' | 'namespace'>,
  name: string,
  { count, isDuration, series, other }: SummedMetric,
): Metric {
  const { kind, labels } = count;
  const isHistogram = kind === 'histogram';
  const rows = [...series.values()];
  const total = toMetricSum(
    rows.reduce((sum, row) => addSums(sum, row.sum), other),
    isHistogram,
  );
  const hasLabels = labels.length > 0;
  return {
    policyName,
    ...(namespace === undefined ? {} : { policyNamespace: namespace }),
    name,
    kind,
    isDuration,
    labelNames: labels.map((label) => label.name),
    series: hasLabels
      ? rows.map((row) => ({ labels: row.labels, ...toMetricSum(row.sum, isHistogram) }))
      : [{ labels: [], ...total }],
    ...(hasLabels && other.calls > 0n ? { other: toMetricSum(other, isHistogram) } : {}),
    total,
  };
}
