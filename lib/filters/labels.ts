/**
 * Compiles label selectors in the form of Kubernetes: `app=web`, `tier!=db`, `env in (a, b)`, `env notin (a)`, `app`,
 * `!app`. A comma is AND.
 */
import { FilterError } from './limits.js';

export type Labels = Readonly<Record<string, string>>;

const KEY = String.raw`[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?`;
const VALUE = String.raw`[-A-Za-z0-9_.]*`;
const REQUIREMENT = new RegExp(
  String.raw`^\s*(?:(!)\s*(${KEY})|(${KEY})(?:\s*(==?|!=)\s*(${VALUE})|\s+(in|notin)\s*\(([^()]*)\))?)\s*(?:,|$)`,
);

export function compileSelector(selector: string, field: string): (labels: Labels) => boolean {
  const requirements: ((labels: Labels) => boolean)[] = [];
  let rest = selector;
  while (rest.trim() !== '') {
    const found = REQUIREMENT.exec(rest);
    if (found === null) throw new FilterError(field, `'${selector}' is no selector of labels`);
    requirements.push(compileRequirement(found));
    rest = rest.slice(found[0].length);
  }
  return (labels) => requirements.every((holds) => holds(labels));
}

function compileRequirement([, not, absent = '', key = '', operator, value = '', set, list = '']: RegExpExecArray): (
  labels: Labels,
) => boolean {
  const hasKey = (labels: Labels, name: string): boolean => Object.hasOwn(labels, name);
  if (not !== undefined) return (labels) => !hasKey(labels, absent);
  if (operator === '!=') return (labels) => !hasKey(labels, key) || labels[key] !== value;
  if (operator !== undefined) return (labels) => hasKey(labels, key) && labels[key] === value;
  if (set === undefined) return (labels) => hasKey(labels, key);
  const values = new Set(list.split(',').map((each) => each.trim()));
  if (set === 'in') return (labels) => hasKey(labels, key) && values.has(labels[key] ?? '');
  return (labels) => !hasKey(labels, key) || !values.has(labels[key] ?? '');
}
