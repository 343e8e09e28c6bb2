/**
 * The metrics of a policy over recorded calls: the sums that its Count actions would have. Keys, places and values are
 * those of bpf/counts.bpf.h. What a recording does not decide is counted as a doubt of the metric. Pure.
 */
import type { MetricDoubt, ReplayedMetric, UncertaintyCode, Verdict } from '../../types/recording.js';
import { hookValues } from '../compiled/compiled-hook.js';
import type { CompiledCount, CompiledHook, CompiledPolicy } from '../compiled/compiled-policy.js';
import { runToCompletion } from '../cooperative.js';
import { addSums, NO_CALLS, type RawSum } from '../wire/decode/counts.js';
import { addSeries, findOrAddMetric, toMetric, type SummedMetric } from '../wire/decode/metrics.js';
import { countSizes } from '../wire/encode/counts.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { READS } from '../wire/reads.js';
import type { RecordedCall } from './call.js';
import { makeUncertainty } from './candidates.js';
import { isComparedAs } from './comparison-kinds.js';
import { labelText } from './labels.js';
import { argumentNumber } from './numbers.js';

/** The sums of a hook. */
interface HookTable {
  readonly places: number;
  /** By the index of the count and the texts of its labels. */
  readonly keys: Map<string, { readonly count: CompiledCount; readonly labels: readonly string[]; sum: RawSum }>;
  /** The calls without a key, by the index of the count. */
  readonly others: RawSum[];
}

type Doubted = Pick<MetricDoubt, 'affects' | 'label'>;

export class CountHistory {
  readonly #policy: Pick<CompiledPolicy, 'name' | 'namespace'>;
  readonly #tables = new Map<CompiledHook, HookTable>();
  /** By the name of the metric, and by what is doubted. */
  readonly #doubts = new Map<string, Map<string, MetricDoubt>>();

  constructor({ name, namespace, hooks }: CompiledPolicy) {
    this.#policy = { name, ...(namespace === undefined ? {} : { namespace }) };
    for (const hook of hooks) {
      const { counts = [] } = hook;
      if (counts.length === 0) continue;
      this.#tables.set(hook, { places: countSizes(hook).keys, keys: new Map(), others: counts.map(() => NO_CALLS) });
    }
  }

  /** Counts a call of the hook. */
  add(hook: CompiledHook, call: RecordedCall, verdict: Verdict): void {
    const table = this.#tables.get(hook);
    if (table === undefined) return;
    (hook.counts ?? []).forEach((count, index) => {
      if (!verdict.selectors.some((selector) => count.selectors.includes(selector))) return;
      if (verdict.selector !== undefined) return this.#count(table, hook, count, index, call);
      for (const { code, about } of verdict.doubts) this.#addDoubt(count, code, about, { affects: 'calls' });
    });
  }

  #addDoubt({ metric }: CompiledCount, code: UncertaintyCode, about: string, { affects, label }: Doubted): void {
    const doubts = this.#doubts.get(metric) ?? new Map<string, MetricDoubt>();
    const key = JSON.stringify([code, about, affects, label]);
    const before = doubts.get(key);
    const named = label === undefined ? {} : { label };
    const calls = (before?.calls ?? 0) + 1;
    doubts.set(key, { ...makeUncertainty(code, about), affects, ...named, calls });
    this.#doubts.set(metric, doubts);
  }

  #count(table: HookTable, hook: CompiledHook, count: CompiledCount, index: number, call: RecordedCall): void {
    const sum = this.#toSum(hook, count, call);
    const labels = count.labels.map((label) => {
      const { text, doubt } = labelText(hook, label, call);
      if (doubt !== undefined) this.#addDoubt(count, doubt, label.name, { affects: 'label', label: label.name });
      return text;
    });
    const key = JSON.stringify([index, labels]);
    const row = table.keys.get(key);
    if (row !== undefined) row.sum = addSums(row.sum, sum);
    else if (labels.length > 0 && table.keys.size < table.places) table.keys.set(key, { count, labels, sum });
    else table.others[index] = addSums(table.others[index] ?? NO_CALLS, sum);
  }

  /** The sum of one call. */
  #toSum(hook: CompiledHook, count: CompiledCount, { values }: RecordedCall): RawSum {
    if (count.value === undefined) return { calls: 1n, sum: 0n };
    const value = hookValues(hook)[count.value];
    const argument = values[count.value];
    if (value === undefined || argument?.type !== value.type || !isComparedAs(argument, 'number')) {
      this.#addDoubt(count, 'VALUE_NOT_RECORDED', value?.label ?? `${value?.type ?? ''} ${value?.index ?? 0}`, { affects: 'sum' }); // prettier-ignore
      return { calls: 1n, sum: 0n };
    }
    const number = argumentNumber(argument);
    // a negative value adds 0
    const added = READS[value.type].signed && BigInt.asIntN(64, number) < 0n ? 0n : number;
    return { calls: 1n, sum: added, ...(count.kind === 'histogram' ? { buckets: fillBuckets(added) } : {}) };
  }

  /** The metrics of the calls so far. `incomplete`: hooks of which calls may be missing, and the number of the others. */
  metrics(incomplete: ReadonlyMap<CompiledHook, number>): ReplayedMetric[] {
    const metrics = new Map<string, SummedMetric>();
    for (const [hook, { keys, others }] of this.#tables) {
      (hook.counts ?? []).forEach((count, index) => {
        const metric = findOrAddMetric(metrics, hook, count);
        metric.other = addSums(metric.other, others[index] ?? NO_CALLS);
      });
      for (const { count, labels, sum } of keys.values()) addSeries(findOrAddMetric(metrics, hook, count), labels, sum);
    }
    return [...metrics].map(([name, metric]) => ({
      ...runToCompletion(toMetric(this.#policy, name, metric)),
      doubts: [...(this.#doubts.get(name)?.values() ?? []), ...listMissing(name, incomplete)],
    }));
  }
}

function listMissing(name: string, incomplete: ReadonlyMap<CompiledHook, number>): MetricDoubt[] {
  return [...incomplete]
    .filter(([{ counts = [] }]) => counts.some(({ metric }) => metric === name))
    .map(([{ call }, calls]) => ({ ...makeUncertainty('CALLS_NOT_RECORDED', call), affects: 'calls', calls }));
}

/** Bucket 0 has the value 0, bucket n the values from 2^(n-1) to 2^n - 1. The last one has all larger values. */
function fillBuckets(value: bigint): bigint[] {
  const bucket = Math.min(value === 0n ? 0 : value.toString(2).length, AbiLimit.COUNT_BUCKETS - 1);
  return Array.from({ length: AbiLimit.COUNT_BUCKETS }, (_, i) => (i === bucket ? 1n : 0n));
}
