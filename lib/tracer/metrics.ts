/** Reads the metrics of policies: the sums of their hooks, with the texts of the labels. */
import { hookValues } from '../compiled/compiled-hook.js';
import type { CompiledCount, CompiledHook, CompiledPolicy, CountLabel } from '../compiled/compiled-policy.js';
import type { Cgroups } from '../containers/cgroups.js';
import type { ContainerNames } from '../containers/container-names.js';
import { runCooperatively, type Steps } from '../cooperative.js';
import type { NativeSession } from '../native/binding.js';
import type { Metric } from '../../types/metrics.js';
import {
  addSums,
  decodeRows,
  decodeTexts,
  decodeTotals,
  NO_CALLS,
  type FindText,
  type HookSums,
  type LabelWords,
} from '../wire/decode/counts.js';
import { formatLabelNumber, KERNEL, UNKNOWN } from '../wire/decode/labels.js';
import { addSeries, findOrAddMetric, toMetric, type SummedMetric } from '../wire/decode/metrics.js';

/** A policy that is attached, with the ids of its hooks. */
export interface CountingPolicy {
  readonly compiled: Pick<CompiledPolicy, 'name' | 'namespace'>;
  readonly hooks: readonly { readonly id: number; readonly compiled: CompiledHook }[];
  /** When the hooks began to count. */
  readonly since: Date;
}

/** The labels of a cgroup. */
interface Workload {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
  /** False while another text may come. */
  readonly isFinal: boolean;
}

export interface MetricReaderParts {
  readonly session: Pick<NativeSession, 'readSums'>;
  readonly cgroups: Pick<Cgroups, 'findContainer' | 'isKnown'>;
  readonly names: Pick<ContainerNames, 'find' | 'isPending'> | undefined;
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
    for (const { compiled, hooks, since } of policies) {
      const sums = new Map<string, SummedMetric>();
      for (const hook of hooks) {
        if (hook.compiled.counts === undefined) continue;
        const tables = await this.#parts.session.readSums(hook.id);
        if (tables === null) continue;
        await runCooperatively(this.#addHook(sums, hook.compiled, hook.compiled.counts, tables, known));
      }
      for (const [name, each] of sums)
        metrics.push({ ...(await runCooperatively(toMetric(compiled, name, each))), since });
    }
    return metrics;
  }

  *#addHook(
    sums: Map<string, SummedMetric>,
    hook: CompiledHook,
    counts: readonly CompiledCount[],
    tables: HookSums,
    known: ReadonlyMap<bigint, Workload>,
  ): Steps<void> {
    const totals = decodeTotals(tables);
    const findText = yield* decodeTexts(tables);
    const metrics = counts.map((count, i) => {
      const metric = findOrAddMetric(sums, hook, count);
      metric.other = addSums(metric.other, totals[i] ?? NO_CALLS);
      return metric;
    });
    for (const { count, labels, sum } of decodeRows(tables)) {
      yield;
      const metric = metrics[count];
      if (metric === undefined) continue;
      const texts = (counts[count]?.labels ?? []).map((label, i) =>
        this.#formatLabel(hook, label, labels[i] ?? [0n, 0n], findText, known),
      );
      addSeries(metric, texts, sum);
    }
  }

  #formatLabel(
    hook: CompiledHook,
    { of, slot = 0 }: CountLabel,
    words: LabelWords,
    findText: FindText,
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
    const found = this.#workloads.get(cgroup);
    if (found !== undefined) return found;
    const before = known.get(cgroup);
    const workload = before?.isFinal === true ? before : this.#lookUpWorkload(cgroup);
    this.#workloads.set(cgroup, workload);
    return workload;
  }

  /** The pod of a container whose name has not come yet is not known. Its label is no text that host processes have. */
  #lookUpWorkload(cgroup: bigint): Workload {
    const { cgroups, names } = this.#parts;
    const container = cgroups.findContainer(cgroup);
    if (container === undefined) {
      const isFinal = cgroups.isKnown(cgroup);
      const text = isFinal ? '' : UNKNOWN;
      return { container: text, pod: text, namespace: text, isFinal };
    }
    const isPending = names?.isPending(container) === true;
    const named = names?.find(container);
    const { id, name } = named?.container ?? container;
    const missing = isPending ? UNKNOWN : '';
    const { name: pod = missing, namespace = missing } = named?.pod ?? {};
    const hasNames = name !== undefined || named?.pod !== undefined;
    return { container: name ?? id, pod, namespace, isFinal: hasNames && !isPending };
  }
}
