/** Converts readings of metrics to messages, and back. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Metric, MetricBucket, MetricsSample, MetricSum } from '../../types/metrics.js';
import type {
  CountSum,
  CountSumSchema,
  ReadMetricsResponse,
  ReadMetricsResponseSchema,
} from '../proto/polytrace/metrics.gen.js';

/** Most series of a message, and most characters of their labels. */
const PART_SERIES = 1000;
const PART_CHARACTERS = 512 * 1024;

type Message = MessageInitShape<typeof ReadMetricsResponseSchema>;

/** Yields the messages of a reading. Each has a bounded size. */
export function* toMetricsMessages({ time, metrics }: MetricsSample): Generator<Message, void, void> {
  yield { time: time.toISOString() };
  for (const metric of metrics) {
    let head: Message['metric'] = toHead(metric);
    let series: Metric['series'][number][] = [];
    let characters = 0;
    for (const each of metric.series) {
      series.push(each);
      characters += each.labels.reduce((sum, label) => sum + label.length, 0);
      if (series.length < PART_SERIES && characters < PART_CHARACTERS) continue;
      yield toPart(head, series);
      [head, series, characters] = [undefined, [], 0];
    }
    if (head !== undefined || series.length > 0) yield toPart(head, series);
  }
}

function toPart(head: Message['metric'], series: Metric['series']): Message {
  const rows = series.map(({ labels, ...sum }) => ({ labels: labels.map(replaceRawBytes), sum: toSumMessage(sum) }));
  return head === undefined ? { series: rows } : { metric: head, series: rows };
}

/** Bytes that are not UTF-8 are lone surrogates, which protobuf does not allow. */
function replaceRawBytes(label: string): string {
  return /[\ud800-\udfff]/.test(label) ? Buffer.from(label).toString() : label;
}

function toHead(metric: Metric): NonNullable<Message['metric']> {
  const { policyName: policy, policyNamespace = '', name, kind, isDuration, since, labelNames, other, total } = metric;
  return {
    policy,
    policyNamespace,
    name,
    kind,
    isDuration,
    since: since.toISOString(),
    labelNames: [...labelNames],
    ...(other === undefined ? {} : { other: toSumMessage(other) }),
    total: toSumMessage(total),
  };
}

function toSumMessage({ calls, sum, buckets = [] }: MetricSum): MessageInitShape<typeof CountSumSchema> {
  return { calls, sum, buckets: buckets.map((bucket) => ({ ...bucket })) };
}

/** Joins the messages of a reading. */
export function toMetricsSample(messages: readonly ReadMetricsResponse[]): MetricsSample {
  const metrics: (Omit<Metric, 'series'> & { series: Metric['series'][number][] })[] = [];
  for (const { metric, series } of messages) {
    if (metric !== undefined) {
      const { policy: policyName, policyNamespace, name, isDuration, since, labelNames, other, total } = metric;
      const kind = metric.kind as Metric['kind'];
      metrics.push({
        policyName,
        ...(policyNamespace === '' ? {} : { policyNamespace }),
        name,
        kind,
        isDuration,
        since: new Date(since),
        labelNames,
        series: [],
        ...(other === undefined ? {} : { other: toSum(kind, other) }),
        total: toSum(kind, total),
      });
    }
    const last = metrics.at(-1);
    for (const { labels, sum } of series) last?.series.push({ labels, ...toSum(last.kind, sum) });
  }
  return { time: new Date(messages[0]?.time ?? 0), metrics };
}

function toSum(kind: Metric['kind'], message: CountSum | undefined): MetricSum {
  const { calls = 0n, sum = 0n, buckets = [] } = message ?? {};
  const own = buckets.map(({ from, to, calls: count }): MetricBucket => {
    return { from, ...(to === undefined ? {} : { to }), calls: count };
  });
  return { calls, sum, ...(kind === 'histogram' ? { buckets: own } : {}) };
}
