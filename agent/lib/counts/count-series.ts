/**
 * Keeps the series of counted metrics: their number is bounded, their sum is exact, and no series decreases while its
 * policy counts. Combinations of labels without a series are added to one of the metric, `(others)`.
 */
import type { Metric, MetricsSample } from 'polytrace';
import { numbersLength, toNumbers, toReadableSum, type Numbers, type ReadableSum } from './sums.js';

/** The label of calls that have no series of their own. */
export const OTHERS = '(others)';

export type MetricFacts = Pick<
  Metric,
  'policyName' | 'policyNamespace' | 'name' | 'kind' | 'isDuration' | 'labelNames' | 'since'
>;

export interface CountedMetric {
  readonly metric: MetricFacts;
  readonly series: readonly CountedSeries[];
  /** Combinations of labels that are counted as `(others)`, as far as the kernel knows them. */
  readonly others: number;
}

export interface CountedSeries {
  /** In the order of `labelNames`. */
  readonly labels: readonly string[];
  readonly sum: ReadableSum;
}

export interface CountedSample {
  readonly time: Date;
  readonly metrics: readonly CountedMetric[];
  /** Values of all series, as `weight` counts them. */
  readonly values: number;
}

interface Series {
  readonly labels: readonly string[];
  /** The numbers that the tracer has reported last. */
  read: Numbers;
  /** The numbers that this agent shows. They never decrease. Lists are replaced and not changed: a reader may still have them. */
  shown: Numbers;
}

/** The values of a series in the text of Prometheus: of a histogram, its buckets, sum and count. */
function weight(kind: Metric['kind']): number {
  return kind === 'histogram' ? numbersLength(kind) + 1 : kind === 'sum' ? 2 : 1;
}

export class CountSeries {
  readonly #max: number;
  #states = new Map<string, MetricState>();
  #used = 0;

  /** `max`: most values of series. `(others)`, and a metric without labels, need none of them. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Samples must be added one after the other. */
  *add({ time, metrics }: MetricsSample): Generator<void, CountedSample, void> {
    const states = new Map<string, MetricState>();
    for (const metric of metrics) {
      const key = metricKey(metric);
      const before = this.#states.get(key);
      const isSame = before?.metric.since.getTime() === metric.since.getTime();
      states.set(key, isSame ? before : new MetricState(metric));
    }
    // policies that are gone, or that began again, give up their room
    this.#states = states;
    this.#used = [...states.values()].reduce((sum, state) => sum + state.weight, 0);
    const counted: CountedMetric[] = [];
    for (const metric of metrics) {
      const state = states.get(metricKey(metric));
      if (state !== undefined) counted.push(yield* state.add(metric, () => this.#takeRoom(state)));
    }
    const values = counted.reduce((sum, { metric, series }) => sum + series.length * weight(metric.kind), 0);
    return { time, metrics: counted, values };
  }

  /**
   * A metric gets no more room than it leaves for the others. So a policy whose labels traced programs choose cannot take
   * the room of policies that come later.
   */
  #takeRoom({ metric: { kind }, weight: own }: MetricState): boolean {
    const needed = weight(kind);
    if (own + needed > this.#max - this.#used) return false;
    this.#used += needed;
    return true;
  }
}

const metricKey = ({ policyName, policyNamespace, name }: MetricFacts): string =>
  JSON.stringify([policyName, policyNamespace, name]);

class MetricState {
  readonly metric: MetricFacts;
  readonly #series = new Map<string, Series>();
  readonly #others: Series;

  constructor({ policyName, policyNamespace, name, kind, isDuration, labelNames, since }: Metric) {
    const namespace = policyNamespace === undefined ? {} : { policyNamespace };
    this.metric = { policyName, ...namespace, name, kind, isDuration, labelNames, since };
    this.#others = newSeries(
      labelNames.map(() => OTHERS),
      kind,
    );
  }

  /** The room that the series of this metric need. */
  get weight(): number {
    return this.metric.labelNames.length === 0 ? 0 : this.#series.size * weight(this.metric.kind);
  }

  *add({ series, other }: Metric, takeRoom: () => boolean): Generator<void, CountedMetric, void> {
    const { kind } = this.metric;
    const found = new Map<Series, bigint[]>();
    let others = 0;
    for (const { labels, ...sum } of series) {
      const own = this.#find(labels.map(toText), takeRoom);
      if (own === this.#others) others += 1;
      addTo(found, own, toNumbers(kind, sum));
      yield;
    }
    if (other !== undefined) addTo(found, this.#others, toNumbers(kind, other));
    yield* this.#show(found);
    const shown = [...this.#series.values(), ...(this.#others.shown.some((each) => each > 0n) ? [this.#others] : [])];
    return {
      metric: this.metric,
      series: shown.map(({ labels, shown: numbers }) => ({ labels, sum: toReadableSum(kind, numbers) })),
      others,
    };
  }

  #find(labels: readonly string[], takeRoom: () => boolean): Series {
    const key = JSON.stringify(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (labels.length > 0 && (labels.every((each) => each === OTHERS) || !takeRoom())) return this.#others;
    const added = newSeries(labels, this.metric.kind);
    this.#series.set(key, added);
    return added;
  }

  /**
   * Calls move from one series to another when a text becomes known, such as the name of a container, or when there is room
   * for a new series. They stay where they were shown first: the total stays exact, and nothing decreases.
   */
  *#show(found: ReadonlyMap<Series, Numbers>): Generator<void, void, void> {
    const zero = emptyNumbers(this.metric.kind);
    // those that calls have moved to come first
    const all = [...this.#series.values()].reverse().sort((a, b) => Number(isNew(b)) - Number(isNew(a)));
    const growth: [Series, bigint[]][] = [];
    const debts = [...zero];
    for (const series of [...all, this.#others]) {
      const now = found.get(series) ?? zero;
      const differences = now.map((value, i) => value - (series.read[i] ?? 0n));
      series.read = now;
      differences.forEach((difference, i) => {
        if (difference < 0n) debts[i] = (debts[i] ?? 0n) - difference;
      });
      if (differences.some((each) => each !== 0n)) growth.push([series, differences]);
      yield;
    }
    for (const [series, differences] of growth) {
      series.shown = series.shown.map((value, i) => {
        const difference = differences[i] ?? 0n;
        if (difference <= 0n) return value;
        const debt = debts[i] ?? 0n;
        const paid = debt < difference ? debt : difference;
        debts[i] = debt - paid;
        return value + difference - paid;
      });
      yield;
    }
  }
}

const emptyNumbers = (kind: Metric['kind']): Numbers => new Array<bigint>(numbersLength(kind)).fill(0n);

function newSeries(labels: readonly string[], kind: Metric['kind']): Series {
  const zero = emptyNumbers(kind);
  return { labels, read: zero, shown: zero };
}

const isNew = ({ read }: Series): boolean => read.every((each) => each === 0n);

function addTo(found: Map<Series, bigint[]>, series: Series, numbers: bigint[]): void {
  const before = found.get(series);
  found.set(series, before === undefined ? numbers : before.map((value, i) => value + (numbers[i] ?? 0n)));
}

/** Bytes that are not UTF-8 are lone surrogates, which no receiver takes. Labels that are then equal are one series. */
function toText(label: string): string {
  return /[\ud800-\udfff]/.test(label) ? Buffer.from(label).toString() : label;
}
