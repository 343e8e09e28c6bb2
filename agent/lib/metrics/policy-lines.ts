/**
 * The metrics of policies. A thousand policies have some seven thousand lines, and most of them are the same at the next
 * request. The lines of a policy are therefore formatted when its entry has changed, and the text of a metric is joined
 * and encoded when one of its lines has changed.
 */
import type { PolicyStatus } from 'polytrace';
import type { PolicyEntry } from '../policies/store.js';
import { formatHead, formatLabels, type LabelText, type LiveMetric } from './live-metrics.js';

type HookCount = 'matched' | 'posted' | 'suppressed' | 'enforced' | 'lost';
type HookCounts = Readonly<Record<HookCount, number>>;

interface PolicyMetric extends Pick<LiveMetric, 'type' | 'name' | 'help'> {
  /** Returns the lines of a policy; empty for none. */
  readonly format: (values: Values, name: string) => string;
}

const METRICS: readonly PolicyMetric[] = [
  {
    type: 'gauge',
    name: 'tetragon_tracingpolicy_kernel_memory_bytes',
    help: 'Kernel memory of policies.',
    format: ({ labels, entry: { status } }, name) =>
      status === undefined ? '' : `${name}${labels.policy} ${status.memory}\n`,
  },
  {
    type: 'gauge',
    name: 'polytrace_policy_state',
    help: 'State and mode of policies.',
    format: ({ labels, entry }, name) => `${name}${labels.state(policyState(entry), entry.status?.mode ?? '')} 1\n`,
  },
  hookCounter('matched', 'Calls that a selector matched.'),
  hookCounter('posted', 'Events that were read from the ring buffer.'),
  hookCounter('suppressed', 'Events that a rate limit of the policy held back.'),
  hookCounter('enforced', 'Calls that were overridden, or whose process got a signal.'),
  hookCounter('lost', 'Events that could not be recorded.'),
];

function hookCounter(key: HookCount, help: string): PolicyMetric {
  const format = ({ hooks }: Values, name: string): string =>
    hooks.map(({ labels, counts }) => `${name}${labels} ${counts[key]}\n`).join('');
  return { type: 'counter', name: `polytrace_hook_${key}_total`, help, format };
}

interface Values {
  readonly entry: PolicyEntry;
  readonly labels: Labels;
  /** One for all hooks of the same function. */
  readonly hooks: readonly { readonly labels: LabelText; readonly counts: HookCounts }[];
}

/** A policy with its lines, in the order of METRICS. */
interface Row extends Values {
  readonly lines: readonly string[];
}

export class PolicyLines {
  #rows: Row[] = [];
  /** By the ids of the entries. */
  #labels = new Map<number, Labels>();
  readonly #texts: (Buffer | undefined)[] = [];
  readonly metrics = METRICS.map((_, i) => ({ format: () => (this.#texts[i] ??= this.#join(i)) }));

  update(entries: readonly PolicyEntry[]): void {
    const isSameList =
      entries.length === this.#rows.length && entries.every(({ id }, i) => this.#rows[i]?.entry.id === id);
    if (isSameList) this.#updateRows(entries);
    else this.#replaceRows(entries);
  }

  #updateRows(entries: readonly PolicyEntry[]): void {
    for (const [i, entry] of entries.entries()) {
      const known = this.#rows[i] as Row;
      if (known.entry === entry) continue;
      const row = this.#createRow(entry);
      for (const [at, line] of row.lines.entries()) if (line !== known.lines[at]) this.#texts[at] = undefined;
      this.#rows[i] = row;
    }
  }

  #replaceRows(entries: readonly PolicyEntry[]): void {
    const known = new Map(this.#rows.map((row) => [row.entry, row]));
    this.#rows = entries.map((entry) => known.get(entry) ?? this.#createRow(entry));
    // labels of policies that are gone
    this.#labels = new Map(this.#rows.map(({ entry, labels }) => [entry.id, labels]));
    this.#texts.fill(undefined);
  }

  #createRow(entry: PolicyEntry): Row {
    const { id, name, namespace, status } = entry;
    let labels = this.#labels.get(id);
    if (labels?.hasNames(entry) !== true) this.#labels.set(id, (labels = new Labels(name, namespace)));
    const hooks = Array.from(sumByFunction(status?.hooks ?? []), ([hook, counts]) => ({
      labels: labels.hook(hook),
      counts,
    }));
    const values: Values = { entry, labels, hooks };
    return { ...values, lines: METRICS.map(({ name: metric, format }) => format(values, metric)) };
  }

  /** Two files can have policies of the same name, and a series may be in the text only once. */
  #join(at: number): Buffer {
    const lines = new Set(this.#rows.map((row) => row.lines[at]));
    return Buffer.from(formatHead(METRICS[at] as PolicyMetric) + [...lines].join(''));
  }
}

/** The labels of a policy, as they are written. */
class Labels {
  readonly policy: LabelText;
  readonly #names: Readonly<Record<'policy' | 'policy_namespace', string>>;
  readonly #hooks = new Map<string, LabelText>();
  #state: { readonly state: string; readonly mode: string; readonly text: LabelText } | undefined;

  constructor(name: string, namespace: string) {
    this.#names = { policy: name, policy_namespace: namespace };
    this.policy = formatLabels(this.#names);
  }

  hasNames({ name, namespace }: PolicyEntry): boolean {
    return this.#names.policy === name && this.#names.policy_namespace === namespace;
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
