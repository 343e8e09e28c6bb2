/** Compiles filters on the process: its id, its namespaces and capabilities, and changes of them. */
import type { ChangeTest, NamespaceName, ProcessField, ProcessGroup } from '../../compiled/compiled-policy.js';
import type { SelectorData, SetFilter } from '../model/model.js';
import { capabilityBits } from '../../names/capabilities.js';
import { NAMESPACES } from '../../names/namespaces.js';
import { parseInteger } from '../model/values.js';
import { mergeEqualItems } from './filters.js';
import { makeEqualTest, makeIntGroups, type IntComparison, type IntClause } from './groups.js';

const CAPABILITY_FIELDS = {
  Effective: 'capEffective',
  Inheritable: 'capInheritable',
  Permitted: 'capPermitted',
} as const;
const CAPABILITY_SETS = { Effective: 'effective', Inheritable: 'inheritable', Permitted: 'permitted' } as const;

type FieldClause = IntClause & { readonly field: ProcessField };

export function compileProcessGroups(selectors: readonly SelectorData[]): ProcessGroup[] {
  const clauses = selectors.flatMap((data, selector) => [
    ...pidClauses(data, selector),
    ...(data.matchNamespaces ?? []).map((filter) => namespaceClause(filter, selector)),
    ...(data.matchCapabilities ?? []).flatMap((filter) => capabilityClauses(filter, selector)),
  ]);
  const fields = new Map(clauses.map(({ field }) => [JSON.stringify(field), field]));
  return [...fields].flatMap(([key, field]) =>
    makeIntGroups(clauses.filter((clause) => JSON.stringify(clause.field) === key)).map((group) => ({
      ...group,
      field,
    })),
  );
}

/** Filters with followForks are sets of processes; sets.ts compiles them. */
function pidClauses({ matchPIDs = [] }: SelectorData, selector: number): FieldClause[] {
  return matchPIDs
    .filter(({ followForks }) => followForks !== true)
    .map(({ operator, values = [], isNamespacePID }) => ({
      selector,
      field: isNamespacePID === true ? ('namespacePid' as const) : ('pid' as const),
      negate: operator === 'NotIn',
      tests: values.map((pid) => makeEqualTest(BigInt(pid))),
    }));
}

const INITIAL_NAMESPACE: IntComparison = { ...makeEqualTest(0n), host: true };

function namespaceClause({ namespace, operator, values = [] }: SetFilter, selector: number): FieldClause {
  return {
    selector,
    field: { namespace: namespace as NamespaceName },
    negate: operator === 'NotIn',
    tests: values.map((value) => (value === 'host_ns' ? INITIAL_NAMESPACE : makeEqualTest(parseInteger(value) ?? 0n))),
  };
}

function capabilityClauses(
  { type, operator, values = [], isNamespaceCapability }: SetFilter,
  selector: number,
): FieldClause[] {
  const bits: IntComparison = { op: 'mask', signed: false, value: capabilityBits(values) };
  const field = CAPABILITY_FIELDS[(type ?? 'Effective') as keyof typeof CAPABILITY_FIELDS];
  const own: FieldClause = { selector, field, negate: operator === 'NotIn', tests: [bits] };
  if (isNamespaceCapability !== true) return [own];
  return [own, { selector, field: { namespace: 'User' }, negate: true, tests: [INITIAL_NAMESPACE] }];
}

export function compileChangeTests(selectors: readonly SelectorData[]): ChangeTest[] {
  return mergeEqualItems(
    selectors.flatMap(({ matchNamespaceChanges = [], matchCapabilityChanges = [] }, selector) => [
      ...matchNamespaceChanges.map((filter) => ({ selector, item: namespaceChange(filter) })),
      ...matchCapabilityChanges.map((filter) => ({ selector, item: capabilityChange(filter) })),
    ]),
  );
}

type Change = Omit<ChangeTest, 'selectors'>;

/** NotIn compares everything that it does not name. */
function namespaceChange({ operator, values = [] }: SetFilter): Change {
  const isCompared = (name: NamespaceName): boolean => values.includes(name) === (operator !== 'NotIn');
  const namespaces = NAMESPACES.filter(isCompared).sort();
  return { namespaces, capabilities: 0n, capabilitySet: 'effective', outsideHost: false };
}

function capabilityChange({ type, operator, values = [], isNamespaceCapability }: SetFilter): Change {
  const named = capabilityBits(values);
  return {
    namespaces: [],
    capabilities: operator === 'NotIn' ? BigInt.asUintN(64, ~named) : named,
    capabilitySet: CAPABILITY_SETS[(type ?? 'Effective') as keyof typeof CAPABILITY_SETS],
    outsideHost: isNamespaceCapability === true,
  };
}
