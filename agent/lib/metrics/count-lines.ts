/** The numbers that policies count, in the text format of Prometheus. */
import type { PolicyCounts } from '../counts/policy-counts.js';
import type { CountedMetric, CountedSample, CountedSeries } from '../counts/count-series.js';
import { labelNames, nameFamilies, type FamilyNames } from '../counts/count-names.js';
import { runInSlices } from '../counts/slices.js';
import { bucketBound, formatValue } from '../counts/sums.js';
import { LogInterval } from '../log/log-interval.js';
import type { Log } from '../log/log.js';
import { formatHead, formatLabels } from './live-metrics.js';

/** A scrape waits for a reading for at most this time. It can take longer while many policies are being loaded. */
const WAIT_MS = 3000;
/** Lines that are joined before they are encoded. */
const PART_CHARACTERS = 64 * 1024;

export class CountLines {
  readonly #counts: Pick<PolicyCounts, 'readSeries'>;
  readonly #log: Log;
  readonly #waitMs: number;
  readonly #logInterval = new LogInterval();
  #parts: readonly Buffer[] = [];
  /** The reading that the last scrape did not wait for. */
  #reading: Promise<void> | undefined;

  constructor(counts: Pick<PolicyCounts, 'readSeries'>, log: Log, waitMs = WAIT_MS) {
    this.#counts = counts;
    this.#log = log;
    this.#waitMs = waitMs;
  }

  /** Resolves with the numbers of a reading that began after the call; after some time, with those of the last one. */
  async read(): Promise<readonly Buffer[]> {
    this.#reading ??= this.#readNow().finally(() => (this.#reading = undefined));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.#reading, new Promise((resolve) => (timer = setTimeout(resolve, this.#waitMs)))]);
    clearTimeout(timer);
    return this.#parts;
  }

  async #readNow(): Promise<void> {
    try {
      this.#parts = await runInSlices(formatSample(await this.#counts.readSeries()));
    } catch (error) {
      if (this.#logInterval.isDue()) this.#log.warn({ reason: String(error) }, 'the counts of policies were not read');
    }
  }
}

type Family = { readonly type: 'counter' | 'histogram'; readonly help: string; readonly lines: FamilyLines[] };
type FamilyLines = () => Iterable<string>;

function* formatSample({ time, metrics, values }: CountedSample): Generator<void, Buffer[], void> {
  const families = new Map<string, Family>();
  for (const [counted, names] of nameFamilies(metrics)) addFamilies(families, counted, names);
  const text = new Parts();
  for (const [name, { type, help, lines }] of families) {
    text.add(formatHead({ name, help, type }));
    for (const each of lines) {
      for (const line of each()) {
        text.add(line);
        yield;
      }
    }
    text.add('\n');
  }
  text.add(
    formatGauge('polytrace_counts_series', 'Values of counts that policies keep in the kernel.', [['', values]]),
  );
  const rest = metrics.map(({ metric: { policyName: policy, policyNamespace, name }, others }) => {
    return [formatLabels({ policy, policy_namespace: policyNamespace ?? '', metric: name }), others] as const;
  });
  text.add(formatGauge('polytrace_counts_others', 'Combinations of labels without a series.', rest));
  const readAt = time.getTime() / 1000;
  text.add(formatGauge('polytrace_counts_read_time_seconds', 'When counts were read.', [['', readAt]]));
  return text.end();
}

function formatGauge(
  name: string,
  help: string,
  samples: readonly (readonly [labels: string, value: number])[],
): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `${formatHead({ name, help, type: 'gauge' })}${lines.join('')}\n`;
}

function addFamilies(families: Map<string, Family>, counted: CountedMetric, names: FamilyNames): void {
  const { kind, isDuration, name, labelNames: by } = counted.metric;
  const own = labelNames(by);
  const add = (family: string, type: Family['type'], help: string, lines: FamilyLines): void => {
    const known = families.get(family);
    if (known === undefined) families.set(family, { type, help, lines: [lines] });
    else known.lines.push(lines);
  };
  if (kind === 'histogram') {
    const help = `Values that policies count as ${name}.`;
    add(names.value, 'histogram', help, () => formatHistograms(names.value, counted, own));
    return;
  }
  const value = ({ sum }: CountedSeries): string =>
    kind === 'sum' ? formatValue(sum.sum, isDuration) : String(sum.calls);
  const help = kind === 'sum' ? `Sum of what policies count as ${name}.` : `Calls that policies count as ${name}.`;
  add(names.value, 'counter', help, () => formatValues(names.value, counted, own, value));
  const { calls } = names;
  if (calls === undefined) return;
  add(calls, 'counter', `Calls whose values are in the sum ${name}.`, () =>
    formatValues(calls, counted, own, ({ sum }) => String(sum.calls)),
  );
}

function* formatValues(
  family: string,
  counted: CountedMetric,
  names: readonly string[],
  value: (series: CountedSeries) => string,
): Iterable<string> {
  for (const each of counted.series) yield `${family}{${openLabels(counted, each, names)}} ${value(each)}\n`;
}

/** All series of a metric have all buckets, because a query adds up those with the same bound. */
function* formatHistograms(family: string, counted: CountedMetric, names: readonly string[]): Iterable<string> {
  const { isDuration } = counted.metric;
  for (const series of counted.series) {
    const labels = openLabels(counted, series, names);
    const { calls, sum, buckets } = series.sum;
    let below = 0n;
    const lines = buckets.map((count, i) => {
      below += count;
      const bound = bucketBound(i);
      return `${family}_bucket{${labels},le="${bound === undefined ? '+Inf' : formatValue(bound, isDuration)}"} ${below}\n`;
    });
    const plain = `{${labels}}`;
    yield `${lines.join('')}${family}_sum${plain} ${formatValue(sum, isDuration)}\n${family}_count${plain} ${calls}\n`;
  }
}

/** Returns the labels without the braces. */
function openLabels({ metric }: CountedMetric, { labels }: CountedSeries, names: readonly string[]): string {
  const { policyName: policy, policyNamespace = '' } = metric;
  const own = Object.fromEntries(names.map((name, i) => [name, labels[i] ?? '']));
  return formatLabels({ policy, policy_namespace: policyNamespace, ...own }).slice(1, -1);
}

/** A text in parts, without a copy of all of it. */
class Parts {
  readonly #parts: Buffer[] = [];
  #text = '';

  add(text: string): void {
    this.#text += text;
    if (this.#text.length > PART_CHARACTERS) this.#flush();
  }

  #flush(): void {
    if (this.#text !== '') this.#parts.push(Buffer.from(this.#text));
    this.#text = '';
  }

  end(): Buffer[] {
    this.#flush();
    return this.#parts;
  }
}
