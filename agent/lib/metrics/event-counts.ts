/** Counts events by type, policy and the labels of their process. The number of series is bounded. */
import type { AgentEvent, Process } from 'polytrace';
import type { PROCESS_LABELS } from '../config/settings.js';
import type { Sample } from './live-metrics.js';
import { OTHERS, SeriesTable } from './series-table.js';

type ProcessLabel = (typeof PROCESS_LABELS)[number];

const OTHER_PROCESSES = { namespace: OTHERS, workload: OTHERS, pod: OTHERS, binary: OTHERS };

export class EventCounts {
  readonly #used: ReadonlySet<string>;
  readonly #now: () => number;
  readonly #byType = new SeriesTable();
  readonly #byPolicy = new SeriesTable();

  /** `used`: the labels that get values. The others are empty. */
  constructor(used: readonly string[], now = () => performance.now()) {
    this.#used = new Set(used);
    this.#now = now;
  }

  add(batch: readonly AgentEvent[]): void {
    const now = this.#now();
    for (const event of batch) if ('process' in event) this.#count(event, now);
  }

  #count(event: Extract<AgentEvent, { readonly process: unknown }>, now: number): void {
    const type = event.type.toUpperCase();
    const process = this.#processLabels(event.process);
    const { namespace, workload, pod, binary: name } = process;
    const group = `\0${namespace}\0${workload}\0${pod}`;
    const labels = (binary: string): Record<string, string> => ({ type, ...process, binary });
    this.#byType.add({ group: type + group, name, labels, common: () => ({ type, ...OTHER_PROCESSES }) }, now);
    const hook = metricHookName(event);
    if (hook === undefined || !('policyName' in event)) return;
    const policy = event.policyName;
    this.#byPolicy.add(
      {
        group: `${policy}\0${hook}${group}`,
        name,
        labels: (binary) => ({ policy, hook, ...process, binary }),
        common: () => ({ policy, hook: OTHERS, ...OTHER_PROCESSES }),
      },
      now,
    );
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

  readByType(): Sample[] {
    return this.#byType.read(this.#now());
  }

  readByPolicy(): Sample[] {
    return this.#byPolicy.read(this.#now());
  }
}

/**
 * Returns the hook as Tetragon names it in its metrics, such as `kprobe:security_file_permission`. Undefined for an event
 * of the base sensor, and for a mapped file.
 */
function metricHookName(event: Extract<AgentEvent, { readonly process: unknown }>): string | undefined {
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
