/** The numbers that policies count in the kernel: read when somebody asks, and shared by all who ask. */
import type { MetricsSample, Tracer } from 'polytrace';
import { CountSeries, type CountedSample } from './count-series.js';
import { SharedReading } from './shared-reading.js';
import { runInSlices } from './slices.js';

/** Least time between two readings. */
const LEAST_MS = 50;

export class PolicyCounts {
  readonly #sample: SharedReading<MetricsSample>;
  readonly #series: SharedReading<CountedSample>;

  /** `maxValues`: see CountSeries. */
  constructor(tracer: Pick<Tracer, 'metrics'>, maxValues: number, leastMs = LEAST_MS) {
    const series = new CountSeries(maxValues);
    this.#sample = new SharedReading(() => tracer.metrics(), leastMs);
    this.#series = new SharedReading(async () => runInSlices(series.add(await this.#sample.read())), leastMs);
  }

  /** Resolves with all combinations of labels, as the tracer has them. */
  readAll(): Promise<MetricsSample> {
    return this.#sample.read();
  }

  /** Resolves with a bounded number of series, which never decrease. */
  readSeries(): Promise<CountedSample> {
    return this.#series.read();
  }
}
