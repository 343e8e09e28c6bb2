/** Counts events by kind, policy and the labels of their process. The number of different labels is bounded. */
import type { Process, TracerEvent } from 'polytrace';
import type { PROCESS_LABELS } from '../config/settings.js';

type ProcessLabel = (typeof PROCESS_LABELS)[number];

/** Most different labels of a metric. Further ones are counted together. */
const SERIES_MAX = 1000;
const OTHERS = '(others)';

export type Labels = Readonly<Record<string, string>>;

interface Series {
  readonly labels: Labels;
  count: number;
}

class Table {
  readonly #series = new Map<string, Series>();

  /** `key` stands for the labels. */
  add(key: string, labels: () => Labels, overflow: Labels): void {
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
  readonly #byType = new Table();
  readonly #byPolicy = new Table();

  /** `used`: the labels that have values. The others are empty. */
  constructor(used: readonly string[]) {
    this.#used = new Set(used);
  }

  give(batch: readonly TracerEvent[]): void {
    for (const event of batch) if (event.type !== 'lost') this.#count(event);
  }

  #count(event: Exclude<TracerEvent, { readonly type: 'lost' }>): void {
    const { type, process } = event;
    const name = type.toUpperCase();
    const of = this.#labelsOf(process);
    const key = `\0${of.namespace}\0${of.workload}\0${of.pod}\0${of.binary}`;
    const others = { namespace: OTHERS, workload: OTHERS, pod: OTHERS, binary: OTHERS };
    this.#byType.add(name + key, () => ({ type: name, ...of }), { type: name, ...others });
    if (!('policyName' in event) || event.type === 'process_loader') return;
    const hook = hookOf(event);
    const policy = event.policyName;
    this.#byPolicy.add(`${policy}\0${hook}${key}`, () => ({ policy, hook, ...of }), {
      policy,
      hook: OTHERS,
      ...others,
    });
  }

  #labelsOf({ pod, binary }: Process): Record<ProcessLabel, string> {
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

/** `kprobe:security_file_permission`, as Tetragon names hooks in its metrics. */
function hookOf(event: Extract<TracerEvent, { readonly policyName: string; readonly args: unknown }>): string {
  switch (event.type) {
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
