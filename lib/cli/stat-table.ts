/** The table of `polytrace stat`: for each metric the series that changed most, and the histogram of all its values. */
import type { Metric, MetricBucket, MetricsSample, MetricSum } from '../../types/index.js';
import { escapeControls, formatTable } from '../output/terminal-text.js';

interface Row {
  readonly labels: readonly string[];
  readonly now: MetricSum;
  /** The growth since the last sample. */
  readonly calls: bigint;
  readonly sum: bigint;
}

const BAR_COLUMNS = 40;
const NO_SUM: MetricSum = { calls: 0n, sum: 0n };
/** Lines of a metric that are no rows: its title, the names of the columns, and an empty line. */
const OTHER_LINES = 3;
const OTHER = 'other';

export class StatTable {
  #before = new Map<string, MetricSum>();
  #beforeAt = 0;

  /** Keeps the sample, to compare the next one with it. */
  update(sample: MetricsSample): void {
    this.#before = new Map(
      sample.metrics.flatMap((metric) =>
        listSeries(metric).map(({ labels, sum }) => [seriesKey(metric, labels), sum] as const),
      ),
    );
    this.#beforeAt = sample.time.getTime();
  }

  /** Formats at most `height` lines. Each metric gets an equal part of them. */
  format(sample: MetricsSample, height: number): string {
    const { metrics } = sample;
    const seconds = Math.max((sample.time.getTime() - this.#beforeAt) / 1000, 0.001);
    const lines: string[] = [];
    metrics.forEach((metric, i) => {
      const room = Math.floor((height - lines.length) / (metrics.length - i));
      lines.push(...this.#formatMetric(metric, seconds, room));
    });
    return lines.length === 0 ? 'no metrics\n' : `${lines.slice(0, height).join('\n')}\n`;
  }

  #formatMetric(metric: Metric, seconds: number, room: number): string[] {
    const { policyName, name, kind, labelNames, total } = metric;
    const rows = listSeries(metric)
      .map((series): Row => {
        const before = this.#before.get(seriesKey(metric, series.labels)) ?? NO_SUM;
        const { calls, sum } = series.sum;
        return { labels: series.labels, now: series.sum, calls: calls - before.calls, sum: sum - before.sum };
      })
      .sort(compareRows);
    const bars = kind === 'histogram' ? drawBuckets(total.buckets ?? [], metric.isDuration) : [];
    // the histogram is left out if there is no room for the rows
    const shownBars = bars.length + OTHER_LINES + Math.min(rows.length, 1) <= room ? bars : [];
    const count = Math.max(room - OTHER_LINES - shownBars.length, 0);
    const shown = rows.slice(0, count).map((row) => formatRow(metric, row, seconds));
    const head = [...valueHead(metric), ...labelNames.map((label) => label.toUpperCase())];
    const hidden = rows.length - shown.length;
    const title = `${policyName}: ${name}${hidden > 0 && labelNames.length > 0 ? ` (${hidden} more)` : ''}`;
    const table = escapeControls(formatTable([head, ...shown]))
      .trimEnd()
      .split('\n');
    return [title, ...table, ...shownBars, ''].map((line) => escapeControls(line));
  }
}

export function listSeries({
  series,
  other,
  labelNames,
}: Pick<Metric, 'series' | 'other' | 'labelNames'>): { labels: readonly string[]; sum: MetricSum }[] {
  const rows = series.map((each) => ({ labels: each.labels, sum: each }));
  return other === undefined ? rows : [...rows, { labels: labelNames.map(() => OTHER), sum: other }];
}

const seriesKey = ({ policyName, policyNamespace, name }: Metric, labels: readonly string[]): string =>
  JSON.stringify([policyName, policyNamespace, name, labels]);

/** What changed most comes first, then what is largest. */
function compareRows(a: Row, b: Row): number {
  const differences = [b.sum - a.sum, b.calls - a.calls, b.now.sum - a.now.sum, b.now.calls - a.now.calls];
  return Number(differences.find((difference) => difference !== 0n) ?? 0n);
}

function valueHead({ kind }: Metric): string[] {
  switch (kind) {
    case 'counter':
      return ['CALLS/S', 'CALLS'];
    case 'sum':
      return ['SUM/S', 'SUM', 'CALLS'];
    case 'histogram':
      return ['CALLS/S', 'CALLS', 'MEAN'];
  }
}

function formatRow({ kind, isDuration }: Metric, { labels, now, calls, sum }: Row, seconds: number): string[] {
  const perSecond = (value: bigint): string => formatNumber(Number(value) / seconds, isDuration && kind === 'sum');
  const format = (value: bigint | number): string => formatNumber(Number(value), isDuration);
  switch (kind) {
    case 'counter':
      return [perSecond(calls), String(now.calls), ...labels];
    case 'sum':
      return [perSecond(sum), format(now.sum), String(now.calls), ...labels];
    case 'histogram': {
      const mean = now.calls === 0n ? 0 : Number(now.sum) / Number(now.calls);
      return [formatNumber(Number(calls) / seconds, false), String(now.calls), format(mean), ...labels];
    }
  }
}

/** Draws a line for each bucket from the first to the last one that has calls. */
export function drawBuckets(buckets: readonly MetricBucket[], isDuration: boolean): string[] {
  const most = buckets.reduce((max, { calls }) => (calls > max ? calls : max), 0n);
  if (most === 0n) return [];
  const all = fillGaps(buckets);
  const rows = all.map(({ from, to, calls }) => {
    const columns = Math.ceil((Number(calls) / Number(most)) * BAR_COLUMNS);
    const end = to === undefined ? '' : formatNumber(Number(to + 1n), isDuration);
    return [
      formatNumber(Number(from), isDuration),
      end === '' ? 'and more' : `to ${end}`,
      String(calls),
      '█'.repeat(columns),
    ];
  });
  return formatTable(rows).trimEnd().split('\n');
}

function fillGaps(buckets: readonly MetricBucket[]): MetricBucket[] {
  const filled: MetricBucket[] = [];
  for (const bucket of buckets) {
    for (let last = filled.at(-1); last?.to !== undefined && last.to + 1n < bucket.from; last = filled.at(-1)) {
      const from = last.to + 1n;
      filled.push({ from, to: from * 2n - 1n, calls: 0n });
    }
    filled.push(bucket);
  }
  return filled;
}

const DURATION_UNITS: readonly (readonly [number, string])[] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'us'],
  [1, 'ns'],
];
const NUMBER_UNITS: readonly (readonly [number, string])[] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** Formats three digits or more, with a unit. Numbers below 1,000 have no unit unless they are durations. */
export function formatNumber(value: number, isDuration: boolean): string {
  const units = isDuration ? DURATION_UNITS : NUMBER_UNITS;
  const [size, unit] = units.find(([least]) => value >= least) ?? [1, isDuration ? 'ns' : ''];
  const scaled = value / size;
  const digits = scaled >= 100 || Number.isInteger(scaled) ? 0 : scaled >= 10 ? 1 : 2;
  return `${scaled.toFixed(digits)}${unit === '' ? '' : isDuration ? ` ${unit}` : unit}`;
}
