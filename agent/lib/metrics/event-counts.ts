/** Counts events by type, policy and the labels of their process. The number of series is bounded. */
import type { Process, TracerEvent } from 'polytrace';
import type { PROCESS_LABELS } from '../config/settings.js';

type ProcessLabel = (typeof PROCESS_LABELS)[number];

/** Maximum of series of a metric. Events with further labels are counted together. */
const SERIES_MAX = 1000;
const OVERFLOW_LABEL = '(others)';

export type MetricLabels = Readonly<Record<string, string>>;

interface Series {
  readonly labels: MetricLabels;
  count: number;
}

class SeriesTable {
  readonly #series = new Map<string, Series>();

  /** `key` identifies the labels. */
  add(key: string, labels: () => MetricLabels, overflow: MetricLabels): void {
    const known = this.#series.get(key);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    if (this.#series.size >= SERIES_MAX) {
      const common = JSON.stringify(overflow);
      const others = this.#series.get(common);
      if (others === undefined) this.#series.set(common, { labels: overflow, count: 1 });
      else others.count += 1;
      return;
    }
    this.#series.set(key, { labels: labels(), count: 1 });
  }

  values(): Iterable<Series> {
    return this.#series.values();
  }
}

export class EventCounts {
  readonly #used: ReadonlySet<string>;
  readonly #byType = new SeriesTable();
  readonly #byPolicy = new SeriesTable();

  /** `used`: the labels that get values. The others are empty. */
  constructor(used: readonly string[]) {
    this.#used = new Set(used);
  }

  add(batch: readonly TracerEvent[]): void {
    for (const event of batch) if (event.type !== 'lost') this.#count(event);
  }

  #count(event: Exclude<TracerEvent, { readonly type: 'lost' }>): void {
    const { type, process } = event;
    const name = type.toUpperCase();
    const labels = this.#processLabels(process);
    const key = `\0${labels.namespace}\0${labels.workload}\0${labels.pod}\0${labels.binary}`;
    const others = { namespace: OVERFLOW_LABEL, workload: OVERFLOW_LABEL, pod: OVERFLOW_LABEL, binary: OVERFLOW_LABEL };
    this.#byType.add(name + key, () => ({ type: name, ...labels }), { type: name, ...others });
    const hook = metricHookName(event);
    if (hook === undefined || !('policyName' in event)) return;
    const policy = event.policyName;
    this.#byPolicy.add(`${policy}\0${hook}${key}`, () => ({ policy, hook, ...labels }), {
      policy,
      hook: OVERFLOW_LABEL,
      ...others,
    });
  }

  #processLabels({ pod, binary }: Process): Record<ProcessLabel, string> {
    const used = this.#used;
    return {
      namespace: used.has('namespace') ? (pod?.namespace ?? '') : '',
      workload: used.has('workload') ? (pod?.workload ?? '') : '',
      pod: used.has('pod') ? (pod?.name ?? '') : '',
      binary: used.has('binary') ? binary : '',
    };
  }

  get byType(): Iterable<Series> {
    return this.#byType.values();
  }

  get byPolicy(): Iterable<Series> {
    return this.#byPolicy.values();
  }
}

/**
 * Returns the hook as Tetragon names it in its metrics, such as `kprobe:security_file_permission`. Undefined for an event
 * of the base sensor, and for a mapped file.
 */
function metricHookName(event: Exclude<TracerEvent, { readonly type: 'lost' }>): string | undefined {
  switch (event.type) {
    case 'process_exec':
    case 'process_exit':
    case 'process_loader':
    case 'process_throttle':
      return undefined;
    case 'process_kprobe':
      return `kprobe:${event.functionName}`;
    case 'process_lsm':
      return `lsm:${event.functionName}`;
    case 'process_tracepoint':
      return `tracepoint:${event.subsystem}/${event.event}`;
    case 'process_uprobe':
      return `uprobe:${event.path}:${event.symbol}`;
    case 'process_usdt':
      return `usdt:${event.path}:${event.provider}:${event.name}`;
  }
}
