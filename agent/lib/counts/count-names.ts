/** The names of counted metrics and of their labels for monitoring systems. */
import type { MetricFacts } from './count-series.js';

/** Every name of a counted metric begins with this, and no other name of the agent does. */
const PREFIX = 'polytrace_count_';
/** Labels that each series has. */
const POLICY_LABELS = ['policy', 'policy_namespace'] as const;
/** Labels that mean something else in the text of Prometheus. */
const RESERVED: ReadonlySet<string> = new Set([...POLICY_LABELS, 'le', 'quantile']);
/** The ends of names that tell Prometheus what a series of a family is. */
const FAMILY_END = /_(total|bucket|sum|count|created|info)$/;

/** Names of the families of Prometheus. `calls`: of a sum. */
export interface FamilyNames {
  readonly value: string;
  readonly calls?: string;
}

/**
 * Returns the names for each metric of a sample. Metrics of different policies with the same name share a family, and
 * differ by the label `policy`. Two metrics of one policy never do.
 */
export function nameFamilies<M extends { readonly metric: MetricFacts }>(
  metrics: readonly M[],
): (readonly [M, FamilyNames])[] {
  const taken = new Set<string>();
  return metrics.map((each) => {
    const { policyName, policyNamespace, name, kind, isDuration } = each.metric;
    const isFree = (family: string): boolean => !taken.has(JSON.stringify([policyName, policyNamespace, family]));
    const claim = (base: string, end: string): string => {
      let family = base + end;
      for (let n = 2; !isFree(family); n++) family = `${base}_${n}${end}`;
      taken.add(JSON.stringify([policyName, policyNamespace, family]));
      return family;
    };
    const unit = isDuration && !/_seconds(_total)?$/.test(name) ? '_seconds' : '';
    if (kind === 'histogram') {
      const base = `${PREFIX}${name}${unit}`;
      return [each, { value: claim(FAMILY_END.test(base) ? `${base}_values` : base, '') }];
    }
    const base = `${PREFIX}${name.replace(/_total$/, '')}`;
    const value = claim(`${base}${unit}`, '_total');
    return [each, kind === 'sum' ? { value, calls: claim(`${base}_calls`, '_total') } : { value }];
  });
}

/** Returns a valid name for each label of `by`: `arg0.port` becomes `arg0_port`. No two are equal. */
export function labelNames(by: readonly string[]): string[] {
  const names = new Set(RESERVED);
  return by.map((text) => {
    const plain = text.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d|__|$)/, 'label_');
    let name = plain;
    for (let n = 2; names.has(name); n++) name = `${plain}_${n}`;
    names.add(name);
    return name;
  });
}
