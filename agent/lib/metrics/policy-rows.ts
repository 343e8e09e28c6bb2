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
  readonly #hooks = new Map<string, LabelText>();
  #state: { readonly state: string; readonly mode: string; readonly text: LabelText } | undefined;

  constructor({ name, namespace }: PolicyEntry) {
    this.#names = { policy: name, policy_namespace: namespace };
    this.policy = formatLabels(this.#names);
  }

  hook(hook: string): LabelText {
    let text = this.#hooks.get(hook);
    if (text === undefined) this.#hooks.set(hook, (text = formatLabels({ ...this.#names, hook })));
    return text;
  }

  state(state: string, mode: string): LabelText {
    if (this.#state?.state !== state || this.#state.mode !== mode) {
      this.#state = { state, mode, text: formatLabels({ ...this.#names, state, mode }) };
    }
    return this.#state.text;
  }
}

export class PolicyLabels {
  /** By the ids of the entries. */
  #known = new Map<number, Labels>();

  /** Forgets the labels of policies that are not in the list. Two files can have policies of the same name. */
  createRows(policies: readonly PolicyEntry[]): PolicyRows {
    const known = new Map<number, Labels>();
    const rows: MutableRows = { states: new Set(), memory: [], hooks: [] };
    for (const entry of policies) {
      const labels = this.#known.get(entry.id) ?? new Labels(entry);
      known.set(entry.id, labels);
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
  states.add(labels.state(policyState(entry), status?.mode ?? ''));
  if (status === undefined) return;
  memory.push({ labels: labels.policy, memory: status.memory });
  for (const [hook, counts] of sumByFunction(status.hooks)) {
    hooks.push({ labels: labels.hook(hook), counts });
  }
}

function sumByFunction(hooks: PolicyStatus['hooks']): Iterable<readonly [string, HookCounts]> {
  const [only] = hooks;
  if (hooks.length === 1 && only !== undefined) return [[only.functionName, only]];
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
