/** Compares what policies have counted with the metrics that a scenario expects. */
import type { Metric, MetricPattern, MetricSum, ReplayedMetric, Scenario } from '../../types/index.js';

/** A metric of a tracer, or of a recording with its doubts. */
export type CountedMetric = Omit<Metric, 'since'> & Partial<Pick<ReplayedMetric, 'doubts'>>;

type Position = Scenario['position'];
type Counted = Pick<MetricSum, 'calls' | 'sum'>;

/** Number of series that a message lists. */
const SERIES_SHOWN = 5;
const NOTHING: Counted = { calls: 0n, sum: 0n };

/** Returns the reasons why the metrics are not as expected. `at` formats a position. */
export function findMetricFailures(
  patterns: readonly MetricPattern[],
  metrics: readonly CountedMetric[],
  at: (position: Position) => string,
): string[] {
  return patterns.flatMap((pattern) => {
    const own = metrics.filter(({ name, policyName }) => name === pattern.metric && policyName === (pattern.policy ?? policyName)); // prettier-ignore
    const [metric, ...others] = own;
    if (metric === undefined || others.length > 0)
      return [at(pattern.position) + explainUnknown(pattern, own, metrics)];
    const mistake = findMistake(pattern, metric, at);
    return mistake ?? compare(pattern, metric, at(pattern.position));
  });
}

function explainUnknown(
  { metric }: MetricPattern,
  own: readonly CountedMetric[],
  all: readonly CountedMetric[],
): string {
  if (own.length > 0) {
    const names = own.map(({ policyName }) => policyName).join(', ');
    return `METRIC_UNKNOWN: several policies count ${JSON.stringify(metric)}: write \`policy\` (${names})`;
  }
  const names = all.map(({ name }) => name).join(', ');
  const known = names === '' ? 'they count nothing' : `they count ${names}`;
  return `METRIC_UNKNOWN: the policies do not count ${JSON.stringify(metric)}: ${known}`;
}

/** Returns what the metric cannot have; undefined if it can have all that is expected. */
function findMistake(
  { labels, sum, position }: MetricPattern,
  { name, labelNames, kind }: CountedMetric,
  at: (position: Position) => string,
): string[] | undefined {
  const unknown = labels.filter((label) => !labelNames.includes(label.name));
  const known = labelNames.length === 0 ? 'it has none' : `it has ${labelNames.join(', ')}`;
  const mistakes = unknown.map(
    (label) => `${at(label.position)}METRIC_UNKNOWN: ${name} has no label ${JSON.stringify(label.name)}: ${known}`,
  );
  if (sum !== undefined && kind === 'counter')
    mistakes.push(`${at(position)}METRIC_UNKNOWN: ${name} is a counter, which has no sum: expect \`calls\``);
  return mistakes.length === 0 ? undefined : mistakes;
}

function compare(pattern: MetricPattern, metric: CountedMetric, position: string): string[] {
  const what = describePattern(pattern);
  const doubts = (metric.doubts ?? []).filter(({ affects, label, code, calls }) => {
    if (code === 'CALLS_NOT_RECORDED') return calls === 0;
    if (affects === 'label') return pattern.labels.some(({ name }) => name === label);
    return affects === 'calls' || pattern.sum !== undefined;
  });
  if (doubts.length > 0) {
    const reasons = doubts.map(
      ({ code, about, meaning, calls }) => `${code} ${about}: ${meaning}${calls === 0 ? '' : ` (${calls} calls)`}`,
    );
    return [`${position}ANSWER_UNKNOWN: ${what}: ${reasons.join('; ')}`];
  }
  if (pattern.labels.length > 0 && metric.other !== undefined && metric.other.calls > 0n) {
    return [
      `${position}ANSWER_UNKNOWN: ${what}: ${metric.other.calls} calls found no room, and have no labels: raise maxKeys`,
    ];
  }
  const found = selectCounted(pattern, metric);
  const differences = (['calls', 'sum'] as const).flatMap((member) => {
    const { [member]: expected } = pattern;
    if (expected === undefined || expected === found[member]) return [];
    return [`${member} ${found[member]} instead of ${expected}`];
  });
  if (differences.length === 0) return [];
  return [`${position}METRIC_DIFFERS: ${what}: ${differences.join(', ')}; counted: ${describeSeries(metric)}`];
}

function selectCounted({ labels, other }: MetricPattern, metric: CountedMetric): Counted {
  if (other) return metric.other ?? NOTHING;
  if (labels.length === 0) return metric.total;
  return metric.series
    .filter((series) => labels.every(({ name, text }) => series.labels[metric.labelNames.indexOf(name)] === text))
    .reduce((all, { calls, sum }) => ({ calls: all.calls + calls, sum: all.sum + sum }), NOTHING);
}

function describePattern({ metric, labels, other }: MetricPattern): string {
  if (other) return `${metric}, other`;
  return [metric, ...labels.map(({ name, text }) => `${name} ${JSON.stringify(text)}`)].join(', ');
}

/** Describes the largest series. */
function describeSeries({ series, other, labelNames, kind }: CountedMetric): string {
  const describeSum = ({ calls, sum }: Counted): string => `${calls} calls${kind === 'counter' ? '' : `, sum ${sum}`}`;
  const counted = series.filter(({ calls }) => calls > 0n).sort((a, b) => (a.calls < b.calls ? 1 : -1));
  const shown = counted.slice(0, SERIES_SHOWN).map((each) => {
    const labels = labelNames.map((name, i) => `${name} ${JSON.stringify(each.labels[i])}`);
    return [...labels, describeSum(each)].join(' ');
  });
  const more = counted.length - shown.length;
  const parts = [
    ...shown,
    ...(more > 0 ? [`${more} more`] : []),
    ...(other !== undefined && other.calls > 0n ? [`other ${describeSum(other)}`] : []),
  ];
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}

/** Returns the numbers that were counted between two readings. A policy that was loaded or replaced in between counted from 0. */
export function subtractMetrics(after: readonly Metric[], before: readonly Metric[]): Metric[] {
  const find = ({ name, policyName, policyNamespace, since }: Metric): Metric | undefined =>
    before.find(
      (each) =>
        each.name === name &&
        each.policyName === policyName &&
        each.policyNamespace === policyNamespace &&
        each.since.getTime() === since.getTime(),
    );
  return after.map((metric) => {
    const old = find(metric);
    if (old === undefined) return metric;
    const earlier = new Map(old.series.map((series) => [JSON.stringify(series.labels), series]));
    const { other, ...rest } = metric;
    return {
      ...rest,
      series: metric.series.map((series) => ({
        labels: series.labels,
        ...subtract(series, earlier.get(JSON.stringify(series.labels))),
      })),
      ...(other === undefined ? {} : { other: subtract(other, old.other) }),
      total: subtract(metric.total, old.total),
    };
  });
}

function subtract({ calls, sum }: Counted, before: Counted = NOTHING): Counted {
  return { calls: calls - before.calls, sum: sum - before.sum };
}
