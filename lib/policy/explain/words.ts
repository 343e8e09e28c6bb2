/** Filters, arguments and actions of a policy in words. */
import type { ActionData, ArgData, BinaryFilter, SelectorData, SetFilter, ValueFilter } from '../model.js';
import { NEGATED, type Operator } from '../vocabulary.js';

/** Values shown of a long list. */
const VALUES_SHOWN = 4;

const VERBS: Readonly<Partial<Record<Operator, string>>> = {
  Equal: 'is',
  Prefix: 'begins with',
  Postfix: 'ends with',
  GreaterThan: 'is greater than',
  GT: 'is greater than',
  LessThan: 'is less than',
  LT: 'is less than',
  Mask: 'has any bit of',
  SPort: 'has source port',
  SPortPriv: 'has a source port below 1024',
  DPort: 'has destination port',
  DPortPriv: 'has a destination port below 1024',
  SAddr: 'has source address',
  DAddr: 'has destination address',
  Protocol: 'has protocol',
  Family: 'has address family',
  State: 'has TCP state',
  InMap: 'is one of',
  InRange: 'is between',
  SubString: 'contains',
  SubStringIgnCase: 'contains, in any case,',
  FileType: 'is a file of type',
  CapabilitiesGained: 'gains a capability of',
  CelExpr: 'satisfies',
};

export function argWords(arg: ArgData | undefined, fallback: string): string {
  if (arg === undefined) return fallback;
  const name = arg.label === undefined ? '' : ` "${arg.label}"`;
  return `argument ${arg.index ?? 0}${name} (${arg.type ?? 'unknown'})`;
}

export function filterWords(subject: string, { operator, values = [] }: ValueFilter): string {
  if (operator === undefined) return subject;
  const base = NEGATED[operator] ?? operator;
  const verb = VERBS[base] ?? base;
  const words = values.length === 0 ? `${subject} ${verb}` : `${subject} ${verb} ${listValues(values)}`;
  return base === operator ? words : `not (${words})`;
}

export function listValues(values: readonly (string | number)[]): string {
  const shown = values
    .slice(0, VALUES_SHOWN)
    .map((value) => (typeof value === 'number' ? String(value) : JSON.stringify(value)));
  const more = values.length - shown.length;
  return `${shown.join(' or ')}${more > 0 ? ` or ${more} more` : ''}`;
}

export function binaryWords(whose: string, { operator = 'In', values = [], followChildren }: BinaryFilter): string {
  const base = operator.replace(/^Not/, '');
  const verb = base === 'In' ? 'is' : base === 'Prefix' ? 'begins with' : 'ends with';
  const words = `${whose} ${verb} ${listValues(values)}${followChildren === true ? ', or that of an ancestor' : ''}`;
  return operator.startsWith('Not') ? `not (${words})` : words;
}

export function setWords(what: string, filter: SetFilter): string {
  const words = `${what} ${listValues(filter.values ?? [])}`;
  return filter.operator === 'NotIn' ? `not (${words})` : words;
}

/** The filters that are neither on values nor on ids and binaries. */
export function otherWords(selector: SelectorData): string[] {
  const capabilities = (filter: SetFilter): string => `${(filter.type ?? 'Effective').toLowerCase()} capabilities`;
  return [
    ...(selector.matchNamespaces ?? []).map((filter) => setWords(`${filter.namespace ?? ''} namespace is`, filter)),
    ...(selector.matchCapabilities ?? []).map((filter) => setWords(`${capabilities(filter)} have`, filter)),
    ...(selector.matchNamespaceChanges ?? []).map((filter) => setWords('namespaces changed since exec:', filter)),
    ...(selector.matchCapabilityChanges ?? []).map((filter) =>
      setWords(`${capabilities(filter)} changed since exec:`, filter),
    ),
    ...(selector.matchWorkloads === undefined ? [] : ['the pod and container fit matchWorkloads']),
  ];
}

export function actionWords({ action, ...rest }: ActionData): string {
  const details = Object.entries(rest).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join(' ') : String(value)}`,
  );
  return `${action ?? ''}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}
