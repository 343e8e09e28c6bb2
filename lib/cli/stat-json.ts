/** Metrics as JSON. */
import type { Metric } from '../../types/index.js';

export interface ReadMetrics {
  /** Absent if nothing has a time: a recording without events. */
  readonly time?: Date | undefined;
  /** Metrics of a recording do not say since when they count. */
  readonly metrics: readonly (Omit<Metric, 'since'> & Partial<Pick<Metric, 'since'>>)[];
}

/** One line. A number that JavaScript cannot hold exactly is a string. */
export function metricsJson({ time, metrics }: ReadMetrics): string {
  const all = metrics.map(({ series, labelNames, ...rest }) => ({
    ...rest,
    labelNames,
    series: series.map(({ labels, ...sums }) => ({
      labels: Object.fromEntries(labelNames.map((name, i) => [name, labels[i] ?? ''])),
      ...sums,
    })),
  }));
  return JSON.stringify({ time: time?.toISOString(), metrics: all }, (_key, value: unknown) =>
    typeof value === 'bigint' ? toExactNumber(value) : value,
  );
}

function toExactNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
