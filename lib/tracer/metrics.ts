/** Reads the metrics of policies: the sums of their hooks, with the texts of the labels. */
import { hookValues } from '../compiled/compiled-hook.js';
import type { CompiledCount, CompiledHook, CompiledPolicy, CountLabel } from '../compiled/compiled-policy.js';
import type { Cgroups } from '../containers/cgroups.js';
import type { ContainerNames } from '../containers/container-names.js';
import type { NativeSession } from '../native/binding.js';
import type { Metric } from '../../types/metrics.js';
import {
  addSums,
  decodeRows,
  decodeTexts,
  decodeTotals,
  NO_CALLS,
  toMetricSum,
  type HookSums,
  type LabelWords,
  type RawSum,
} from '../wire/decode/counts.js';
import { formatLabelNumber } from '../wire/decode/labels.js';

const UNKNOWN = '(unknown)';
const KERNEL = '[kernel]';

/** A policy that is attached, with the ids of its hooks. */
export interface CountingPolicy {
  readonly compiled: Pick<CompiledPolicy, 'name' | 'namespace'>;
  readonly hooks: readonly { readonly id: number; readonly compiled: CompiledHook }[];
}

/** The labels of a cgroup. */
interface Workload {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

/** A metric while its hooks are added up. */
interface Sums {
  readonly count: CompiledCount;
  readonly isDuration: boolean;
  readonly series: Map<string, { readonly labels: readonly string[]; sum: RawSum }>;
  other: RawSum;
}

export interface MetricReaderParts {
  readonly session: Pick<NativeSession, 'readSums'>;
  readonly cgroups: Pick<Cgroups, 'findContainer' | 'isKnown'>;
  readonly names: Pick<ContainerNames, 'find'> | undefined;
}

export class MetricReader {
  readonly #parts: MetricReaderParts;
  /** The cgroups of the last reading, because a container of a key may have ended since. */
  #workloads = new Map<bigint, Workload>();

  constructor(parts: MetricReaderParts) {
    this.#parts = parts;
  }

  /** No hook may be removed meanwhile. */
  async read(policies: readonly CountingPolicy[]): Promise<Metric[]> {
    const known = this.#workloads;
    this.#workloads = new Map();
    const metrics: Metric[] = [];
    for (const { compiled, hooks } of policies) {
      const sums = new Map<string, Sums>();
      for (const hook of hooks) {
        if (hook.compiled.counts === undefined) continue;
        const tables = await this.#parts.session.readSums(hook.id);
        if (tables !== null) this.#addHook(sums, hook.compiled, hook.compiled.counts, tables, known);
      }
      metrics.push(...[...sums].map(([name, each]) => toMetric(compiled, name, each)));
    }
    return metrics;
  }

  #addHook(
    sums: Map<string, Sums>,
    hook: CompiledHook,
    counts: readonly CompiledCount[],
    tables: HookSums,
    known: ReadonlyMap<bigint, Workload>,
  ): void {
    const totals = decodeTotals(tables);
    const findText = decodeTexts(tables);
    const metrics = counts.map((count, i) => {
      const metric = findOrAdd(sums, hook, count);
      metric.other = addSums(metric.other, totals[i] ?? NO_CALLS);
      return metric;
    });
    for (const { count, labels, sum } of decodeRows(tables)) {
      const metric = metrics[count];
      if (metric === undefined) continue;
      const texts = (counts[count]?.labels ?? []).map((label, i) =>
        this.#formatLabel(hook, label, labels[i] ?? [0n, 0n], findText, known),
      );
      const key = JSON.stringify(texts);
      const before = metric.series.get(key);
      metric.series.set(key, { labels: texts, sum: before === undefined ? sum : addSums(before.sum, sum) });
    }
  }

  #formatLabel(
    hook: CompiledHook,
    { of, slot = 0 }: CountLabel,
    words: LabelWords,
    findText: ReturnType<typeof decodeTexts>,
    known: ReadonlyMap<bigint, Workload>,
  ): string {
    switch (of) {
      case 'binary':
      case 'parentBinary':
        return words[0] === 0n && words[1] === 0n ? KERNEL : (findText(words, true) ?? UNKNOWN);
      case 'text':
        return findText(words, false) ?? UNKNOWN;
      case 'container':
      case 'pod':
      case 'namespace':
        return this.#findWorkload(words[0], known)[of];
      case 'number':
      case 'address':
      case 'port':
      case 'device':
      case 'errno':
      case 'uid':
        return formatLabelNumber(of, words, hookValues(hook)[slot]?.type);
    }
  }

  #findWorkload(cgroup: bigint, known: ReadonlyMap<bigint, Workload>): Workload {
    let found = this.#workloads.get(cgroup) ?? known.get(cgroup);
    const { cgroups, names } = this.#parts;
    if (found === undefined || found.container === UNKNOWN) {
      const container = cgroups.findContainer(cgroup);
      if (container === undefined) {
        const text = cgroups.isKnown(cgroup) ? '' : UNKNOWN;
        found = { container: text, pod: text, namespace: text };
      } else {
        const named = names?.find(container);
        const { id, name } = named?.container ?? container;
        found = { container: name ?? id, pod: named?.pod?.name ?? '', namespace: named?.pod?.namespace ?? '' };
      }
    }
    this.#workloads.set(cgroup, found);
    return found;
  }
}

function findOrAdd(sums: Map<string, Sums>, hook: CompiledHook, count: CompiledCount): Sums {
  const before = sums.get(count.metric);
  if (before !== undefined) return before;
  const value = count.value === undefined ? undefined : hookValues(hook)[count.value];
  const added: Sums = { count, isDuration: value?.source === 'duration', series: new Map(), other: NO_CALLS };
  sums.set(count.metric, added);
  return added;
}

function toMetric(
  { name: policyName, namespace }: CountingPolicy['compiled'],
  name: string,
  { count, isDuration, series, other }: Sums,
): Metric {
  const { kind, labels } = count;
  const isHistogram = kind === 'histogram';
  const rows = [...series.values()];
  const total = toMetricSum(
    rows.reduce((sum, row) => addSums(sum, row.sum), other),
    isHistogram,
  );
  const hasLabels = labels.length > 0;
  return {
    policyName,
    ...(namespace === undefined ? {} : { policyNamespace: namespace }),
    name,
    kind,
    isDuration,
    labelNames: labels.map((label) => label.name),
    series: hasLabels
      ? rows.map((row) => ({ labels: row.labels, ...toMetricSum(row.sum, isHistogram) }))
      : [{ labels: [], ...total }],
    ...(hasLabels && other.calls > 0n ? { other: toMetricSum(other, isHistogram) } : {}),
    total,
  };
}
