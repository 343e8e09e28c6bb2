/** The values of policies in metrics. The text of their labels is kept while a policy exists, see live-metrics.ts. */
import type { PolicyStatus } from 'polytrace';
import type { PolicyEntry } from '../policies/store.js';
import { formatLabels, type LabelText } from './live-metrics.js';

export type HookCount = 'matched' | 'posted' | 'suppressed' | 'enforced' | 'lost';
type HookCounts = Readonly<Record<HookCount, number>>;

/** The values of one request. */
export interface PolicyRows {
  /** Labels with the state of each policy. */
  readonly states: ReadonlySet<LabelText>;
  readonly memory: readonly { readonly labels: LabelText; readonly memory: number }[];
  /** One row for all hooks of the same function in a policy. */
  readonly hooks: readonly { readonly labels: LabelText; readonly counts: HookCounts }[];
}

class Labels {
  readonly policy: LabelText;
  readonly #names: Readonly<Record<string, string>>;
  readonly #more = new Map<string, LabelText>();

  constructor({ name, namespace }: PolicyEntry) {
    this.#names = { policy: name, policy_namespace: namespace };
    this.policy = formatLabels(this.#names);
  }

  /** `key` identifies the further labels. */
  extend(key: string, more: () => Readonly<Record<string, string>>): LabelText {
    let text = this.#more.get(key);
    if (text === undefined) this.#more.set(key, (text = formatLabels({ ...this.#names, ...more() })));
    return text;
  }
}

export class PolicyLabels {
  #known = new Map<string, Labels>();

  /** Forgets the labels of policies that are not in the list. Two files can have policies of the same name. */
  createRows(policies: readonly PolicyEntry[]): PolicyRows {
    const known = new Map<string, Labels>();
    const rows: MutableRows = { states: new Set(), memory: [], hooks: [] };
    for (const entry of policies) {
      const key = `${entry.namespace}\0${entry.name}`;
      const labels = known.get(key) ?? this.#known.get(key) ?? new Labels(entry);
      known.set(key, labels);
      addRows(rows, labels, entry);
    }
    this.#known = known;
    return rows;
  }
}

interface MutableRows {
  readonly states: Set<LabelText>;
  readonly memory: { labels: LabelText; memory: number }[];
  readonly hooks: { labels: LabelText; counts: HookCounts }[];
}

function addRows({ states, memory, hooks }: MutableRows, labels: Labels, entry: PolicyEntry): void {
  const { status } = entry;
  const [state, mode] = [policyState(entry), status?.mode ?? ''];
  states.add(labels.extend(`${state}\0${mode}`, () => ({ state, mode })));
  if (status === undefined) return;
  memory.push({ labels: labels.policy, memory: status.memory });
  for (const [hook, counts] of sumByFunction(status.hooks)) {
    hooks.push({ labels: labels.extend(hook, () => ({ hook })), counts });
  }
}

function sumByFunction(hooks: PolicyStatus['hooks']): Map<string, HookCounts> {
  const sums = new Map<string, HookCounts>();
  for (const hook of hooks) {
    const sum = sums.get(hook.functionName);
    sums.set(hook.functionName, sum === undefined ? hook : addCounts(sum, hook));
  }
  return sums;
}

function addCounts(a: HookCounts, b: HookCounts): HookCounts {
  return {
    matched: a.matched + b.matched,
    posted: a.posted + b.posted,
    suppressed: a.suppressed + b.suppressed,
    enforced: a.enforced + b.enforced,
    lost: a.lost + b.lost,
  };
}

export function policyState({ status, error }: PolicyEntry): string {
  if (status === undefined) return 'load_error';
  return error === undefined ? (status.state === 'enabled' ? 'enabled' : 'disabled') : 'error';
}
