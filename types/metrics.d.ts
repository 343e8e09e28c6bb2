/** One reading of all metrics of a tracer. */
export interface MetricsSample {
  /** When the reading began. */
  readonly time: Date;
  /** Metrics of all attached policies, in their order. */
  readonly metrics: readonly Metric[];
}

/** A metric of a policy: the Count actions that have its name. */
export interface Metric {
  /** `metadata.name` of the policy. */
  readonly policyName: string;
  /** Namespace of a TracingPolicyNamespaced. */
  readonly policyNamespace?: string;
  /** Name of the metric. */
  readonly name: string;
  /** Kind of the metric. */
  readonly kind: 'counter' | 'sum' | 'histogram';
  /** True if the values are durations in nanoseconds. */
  readonly isDuration: boolean;
  /** When the policy was attached. All numbers began at 0 then. */
  readonly since: Date;
  /** Names of the labels, as in `by`. */
  readonly labelNames: readonly string[];
  /** One element for each combination of labels. Without labels, it has one element. */
  readonly series: readonly MetricSeries[];
  /** Calls that found no room for their labels (`maxKeys`). Absent if there are none. */
  readonly other?: MetricSum;
  /** All calls since the policy was attached: `series` and `other` together. */
  readonly total: MetricSum;
}

/** Calls, and the sum of their values. */
export interface MetricSum {
  /** Number of calls. */
  readonly calls: bigint;
  /** Sum of the values; 0n for a counter. A negative value adds 0. */
  readonly sum: bigint;
  /** The values of a histogram by size, without empty buckets. */
  readonly buckets?: readonly MetricBucket[];
}

/** Values of similar size. Bounds are powers of two. */
export interface MetricBucket {
  /** Smallest value. */
  readonly from: bigint;
  /** Largest value. Absent for the last bucket, which has all larger values. */
  readonly to?: bigint;
  /** Number of calls with such a value. */
  readonly calls: bigint;
}

/** The calls with equal labels. */
export interface MetricSeries extends MetricSum {
  /** Texts of the labels, in the order of `labelNames`. A text that is not known is `(unknown)`. */
  readonly labels: readonly string[];
}
