/** `polytrace trace latency FUNCTION`: how long functions take. The kernel counts, and no event is written. */
import type { Metric, MetricBucket, MetricSum } from '../../types/metrics.js';
import { byField, durationColumn, fieldColumn } from './columns.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import type { NamedHistogram, Row, RowColumn, TracerDefinition, TraceOptions } from './tracer.js';
import { baseName } from './values.js';

/** Functions of one command. */
export const FUNCTIONS_MAX = 16;

const COLUMNS: readonly RowColumn[] = [
  fieldColumn('FUNCTION', 20, 'function'),
  fieldColumn('CALLS', 8, 'calls', { right: true }),
  durationColumn('MEAN', 'meanNs'),
  durationColumn('MEDIAN', 'medianNs'),
  durationColumn('P99', 'p99Ns'),
  durationColumn('TOTAL', 'totalNs', { wide: true }),
  { title: 'PROGRAM', width: 16, cell: ({ fields }, isWide) => formatProgram(String(fields['binary']), isWide) },
];

function formatProgram(binary: string, isWide: boolean): string {
  return isWide || !binary.startsWith('/') ? binary : baseName(binary);
}

/** A function of the kernel, a system call (`sys_NAME`), or `FILE:SYMBOL`. */
const FUNCTION = /^(?:[A-Za-z_][\w.]*|\/[^\n]*:[A-Za-z_][\w.$@]*)$/;

export function isFunctionName(text: string): boolean {
  return FUNCTION.test(text);
}

export const latencyTracer: TracerDefinition = {
  name: 'latency',
  summary: 'how long functions of the kernel or of a program take: a histogram, by program',
  argument: 'functions of the kernel, system calls such as sys_openat, or FILE:SYMBOL',
  needs: 'functions that can be hooked: `polytrace hooks PART` lists those of this kernel',
  interval: 5,
  readsMetrics: true,
  policies: (options) => [
    formatPolicy(
      options.policyName,
      ['The time from the entry of a function to its return, counted in the kernel. `polytrace stat` reads it, too.'],
      hooks(options),
    ),
  ],
  columns: () => COLUMNS,
  createCollector: ({ functions = [], policyName }) => {
    const sums = new Map<string, MetricSum>();
    let rows: readonly Row[] = [];
    let histograms: readonly NamedHistogram[] = [];
    const grow = (key: string, now: MetricSum): MetricSum => {
      const growth = subtract(now, sums.get(key));
      sums.set(key, now);
      return growth;
    };
    return {
      forgotten: 0,
      take: () => [],
      takeMetrics({ time, metrics }) {
        const all = functions.flatMap((name, i) => {
          const wanted = metricName(functions, i);
          const metric = metrics.find((each) => each.policyName === policyName && each.name === wanted);
          return metric === undefined ? [] : [{ name, metric }];
        });
        rows = all
          .flatMap(({ name, metric }) => {
            const programs = listPrograms(metric)
              .map(({ binary, sum }) => ({ binary, sum: grow(`${name} ${binary}`, sum) }))
              .filter(({ sum: { calls } }) => calls > 0n);
            const shown = programs.length > 0 ? programs : [{ binary: NO_PROGRAM, sum: NO_CALLS }];
            return shown.map(({ binary, sum }) => toRow(time.toISOString(), name, binary, sum));
          })
          .sort(byField('totalNs'));
        histograms = all.map(({ name, metric }) => {
          return { name, counts: toCounts(grow(name, metric.total).buckets), unitNs: 1n };
        });
      },
      summarize: () => {
        const summary = { rows, columns: COLUMNS, histograms };
        [rows, histograms] = [[], []];
        return summary;
      },
    };
  },
};

function hooks(options: TraceOptions): YamlObject {
  const { functions = [] } = options;
  const kernel: YamlObject[] = [];
  const user: YamlObject[] = [];
  functions.forEach((name, i) => {
    const count = { action: 'Count', metric: metricName(functions, i), kind: 'histogram', value: 'duration', by: ['binary'] };
    const own = selectors(options, { matchActions: [count] });
    const [, path, symbol] = /^(\/.*):([^:]+)$/.exec(name) ?? [];
    if (path !== undefined && symbol !== undefined) user.push({ path, symbols: [symbol], selectors: own });
    else kernel.push({ call: name, syscall: name.startsWith('sys_'), selectors: own });
  }); // prettier-ignore
  return {
    ...(kernel.length > 0 && { kprobes: kernel }),
    ...(user.length > 0 && { uprobes: user }),
  };
}

/** A name of a metric has letters, digits and `_`. Two functions can differ in other characters. */
function metricName(functions: readonly string[], i: number): string {
  const names = functions.map((each) => each.replace(/^.*[/:]/, '').replace(/\W/g, '_'));
  const name = names[i] ?? '';
  return names.indexOf(name) === i ? name : `${name}_${i}`;
}

const OTHER_PROGRAMS = '(other programs)';
/** A function that nobody has called. */
const NO_PROGRAM = '-';
const NO_CALLS: MetricSum = { calls: 0n, sum: 0n };

function listPrograms({ series, other }: Metric): { readonly binary: string; readonly sum: MetricSum }[] {
  const programs = new Map<string, MetricSum>();
  // two files can have had one path
  for (const { labels, ...sum } of series) {
    const [binary = ''] = labels;
    const before = programs.get(binary);
    programs.set(binary, before === undefined ? sum : add(before, sum));
  }
  const rows = [...programs].map(([binary, sum]) => ({ binary, sum }));
  return other === undefined ? rows : [...rows, { binary: OTHER_PROGRAMS, sum: other }];
}

function add(a: MetricSum, b: MetricSum): MetricSum {
  return combine(a, b, (x, y) => x + y);
}

function subtract(now: MetricSum, before: MetricSum | undefined): MetricSum {
  return before === undefined ? now : combine(now, before, (x, y) => x - y);
}

function combine(a: MetricSum, b: MetricSum, operation: (x: bigint, y: bigint) => bigint): MetricSum {
  const second = new Map(b.buckets?.map((bucket) => [bucket.from, bucket]));
  const both = new Map([...second, ...(a.buckets ?? []).map((bucket) => [bucket.from, bucket] as const)]);
  const calls = (list: readonly MetricBucket[] | undefined, from: bigint): bigint =>
    list?.find((each) => each.from === from)?.calls ?? 0n;
  return {
    calls: operation(a.calls, b.calls),
    sum: operation(a.sum, b.sum),
    buckets: [...both.values()]
      .map((bucket) => ({ ...bucket, calls: operation(calls(a.buckets, bucket.from), calls(b.buckets, bucket.from)) }))
      .filter((bucket) => bucket.calls > 0n)
      .sort((x, y) => (x.from < y.from ? -1 : 1)),
  };
}

function toRow(time: string, name: string, binary: string, { calls, sum, buckets = [] }: MetricSum): Row {
  return {
    time,
    process: undefined,
    fields: {
      function: name,
      binary,
      calls,
      meanNs: calls === 0n ? 0n : sum / calls,
      medianNs: quantileNs(buckets, 0.5),
      p99Ns: quantileNs(buckets, 0.99),
      totalNs: sum,
      // from 1, 2, 4, … nanoseconds on
      histogram: toCounts(buckets).map(String),
    },
  };
}

/** The upper end of the bucket in which this part of all calls is reached. */
function quantileNs(buckets: readonly MetricBucket[], part: number): bigint {
  const all = buckets.reduce((count, { calls }) => count + Number(calls), 0);
  let left = all * part;
  for (const { from, to, calls } of buckets) {
    left -= Number(calls);
    if (left <= 0) return to === undefined ? from : to + 1n;
  }
  return 0n;
}

/** The counts by powers of two, up to the last one that is not 0. */
function toCounts(buckets: readonly MetricBucket[] = []): number[] {
  const counts: number[] = [];
  for (const { from, calls } of buckets) {
    const power = from === 0n ? 0 : from.toString(2).length - 1;
    while (counts.length <= power) counts.push(0);
    counts[power] = (counts[power] ?? 0) + Number(calls);
  }
  return counts;
}
