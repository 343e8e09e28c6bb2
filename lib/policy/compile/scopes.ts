/**
 * Compiles the scopes of a policy and of its selectors. The base sensor keeps one bit for each scope and cgroup. Equal
 * scopes are kept once; the order of their conditions does not matter.
 */
import type { LabelCondition, Scope, ScopeTest } from '../../compiled/compiled-policy.js';
import type { LabelSelectorData, PolicyData, SelectorData, WorkloadData } from '../model/model.js';
import { sortSelectors, mergeEqualItems } from './filters.js';

/** Collects the scopes of all hooks of a policy. */
export class Scopes {
  readonly #byContent = new Map<string, number>();
  readonly scopes: Scope[] = [];
  readonly #policyScope: Scope | undefined;

  constructor(policy: PolicyData) {
    this.#policyScope = compilePolicyScope(policy);
  }

  /** `suppressing`: selectors that only suppress events. */
  compileTests(selectors: readonly SelectorData[], suppressing: readonly number[]): ScopeTest[] {
    const all = Array.from({ length: Math.max(selectors.length, 1) }, (_, i) => i);
    const whole =
      this.#policyScope === undefined ? [] : all.map((selector) => this.#makeItems(selector, this.#policyScope));
    const own = selectors.map(({ matchWorkloads = {} }, selector) =>
      this.#makeItems(selector, compileScope(matchWorkloads, undefined, suppressing.includes(selector))),
    );
    return mergeEqualItems([...whole, ...own].flat()).map(({ scope, selectors: those }) => ({
      scope,
      selectors: sortSelectors(those),
    }));
  }

  #makeItems(selector: number, scope: Scope | undefined): { selector: number; item: Omit<ScopeTest, 'selectors'> }[] {
    return scope === undefined ? [] : [{ selector, item: { scope: this.#add(scope) } }];
  }

  #add(scope: Scope): number {
    const content = JSON.stringify(scope);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    this.#byContent.set(content, this.scopes.length);
    return this.scopes.push(scope) - 1;
  }
}

/** Undefined if the policy applies to every process. */
export function compilePolicyScope({ kind, metadata, spec = {} }: PolicyData): Scope | undefined {
  if (kind !== 'TracingPolicyNamespaced') return compileScope(spec, undefined, false);
  const namespace = metadata?.namespace ?? 'default';
  return namespace === '' ? { host: [], exempts: false } : compileScope(spec, namespace, false);
}

export function compileNodeConditions({ spec }: PolicyData): readonly LabelCondition[] | undefined {
  const conditions = spec?.nodeSelector === undefined ? [] : compileLabelConditions(spec.nodeSelector);
  return conditions.length === 0 ? undefined : conditions;
}

export function compileScope(
  selectors: WorkloadData,
  namespace: string | undefined,
  exempts: boolean,
): Scope | undefined {
  const { podSelector, containerSelector, hostSelector } = selectors;
  const [pods, containers, host] = [podSelector, containerSelector, hostSelector].map(
    (labels) => labels && compileLabelConditions(labels),
  );
  const given = [pods, containers, host].filter((conditions) => conditions !== undefined);
  if (namespace === undefined && given.length === 0) return undefined;
  // As in Tetragon, three empty selectors do not limit the policy.
  if (given.length === 3 && given.every((conditions) => conditions.length === 0)) return undefined;
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(pods === undefined ? {} : { pods }),
    ...(containers === undefined ? {} : { containers }),
    ...(host === undefined ? {} : { host }),
    exempts,
  };
}

function compileLabelConditions({ matchLabels = {}, matchExpressions = [] }: LabelSelectorData): LabelCondition[] {
  const all: LabelCondition[] = [
    ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In' as const, values: [value] })),
    ...matchExpressions.map(({ key = '', operator = 'In', values = [] }) => ({
      key,
      operator: operator as LabelCondition['operator'],
      values: [...new Set(values)].sort(),
    })),
  ];
  const byContent = new Map(all.map((condition) => [JSON.stringify(condition), condition]));
  return [...byContent].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, condition]) => condition);
}
