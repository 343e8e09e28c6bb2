/** Filters on processes and their containers for which other calls match in Tetragon. */
import { CONTAINER_FIELDS, CONTAINER_LABEL } from '../language/containers.js';
import { isOptionOn } from '../language/options.js';
import type { LabelSelectorData, SetFilter, WorkloadData } from '../model/model.js';
import type { Positions, Span } from '../parse/positions.js';
import { listSelectors, type ComparedPolicy, type DifferenceTable } from './difference.js';

export const PROCESS_DIFFERENCES = {
  exemptionByPath: {
    code: 'TETRAGON_EXEMPTS',
    message:
      'Tetragon exempts every program with such a path, also one that a process has put there in a mount namespace of its own; polytrace exempts the file',
    hint: 'the option `trust-binary-paths: true` gives polytrace the same meaning',
    find: findPathExemptions,
  },
  exemptionByNamespacePid: {
    code: 'TETRAGON_EXEMPTS',
    message:
      'Tetragon exempts every process with such an id, in any pid namespace; polytrace exempts it only in namespaces that root owns',
    hint: 'expect more events in polytrace: users can make pid namespaces',
    find: (policy) =>
      listSelectors(policy).flatMap(({ selector }) =>
        (selector.matchPIDs ?? [])
          .filter(({ operator, isNamespacePID }) => operator === 'NotIn' && isNamespacePID === true)
          .map((filter) => policy.positions.value(filter, 'isNamespacePID')),
      ),
  },
  userNamespaceChange: {
    code: 'TETRAGON_IGNORES',
    message: 'Tetragon does not see changes of the user namespace; polytrace does',
    hint: 'hook create_user_ns to see them in both',
    find: (policy) =>
      listSelectors(policy).flatMap(({ selector }) =>
        (selector.matchNamespaceChanges ?? []).flatMap((filter) => findUserNamespace(filter, policy.positions)),
      ),
  },
  containerOutsideOfPods: {
    code: 'TETRAGON_SCOPE',
    message: 'in Tetragon, containerSelector selects containers of pods only; in polytrace, also those outside of pods',
    hint: 'add a podSelector to select containers of pods only',
    find: (policy) =>
      listWorkloads(policy).flatMap((workload) =>
        workload.containerSelector !== undefined && workload.podSelector === undefined
          ? [policy.positions.key(workload, 'containerSelector')]
          : [],
      ),
  },
  hostWithContainers: {
    code: 'TETRAGON_SCOPE',
    message:
      'in Tetragon, hostSelector selects every process outside of pods, also in containers; in polytrace, only processes in no container',
    hint: 'add a containerSelector to select containers outside of pods in polytrace',
    find: (policy) =>
      listWorkloads(policy).flatMap((workload) =>
        workload.hostSelector === undefined ? [] : [policy.positions.key(workload, 'hostSelector')],
      ),
  },
  hostLabels: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon refuses a hostSelector with labels; polytrace compares the labels of the node',
    hint: 'write `hostSelector: {}`, and give each node its own policies',
    find: (policy) =>
      listWorkloads(policy).flatMap(({ hostSelector = {} }) =>
        (['matchLabels', 'matchExpressions'] as const).flatMap((key) =>
          Object.keys(hostSelector[key] ?? {}).length === 0 ? [] : [policy.positions.key(hostSelector, key)],
        ),
      ),
  },
  containerKey: {
    code: 'TETRAGON_SCOPE',
    message:
      'Tetragon knows no such key of containerSelector, so it compares with nothing; polytrace compares the container',
    hint: 'use `name` or `repo`',
    find: (policy) =>
      listWorkloads(policy).flatMap(({ containerSelector = {} }) =>
        labelKeys(containerSelector, policy.positions).flatMap(({ key, span }) => (isOwnKey(key) ? [span] : [])),
      ),
  },
  unknownPod: {
    code: 'TETRAGON_SCOPE',
    message:
      'in Tetragon, a pod that it does not know yet is in no scope; in polytrace, it satisfies NotIn and DoesNotExist, because nothing unknown is exempt',
    hint: 'expect events of the first moments of a pod in polytrace only',
    find: (policy) =>
      listWorkloads(policy).flatMap(({ podSelector: { matchExpressions = [] } = {} }) =>
        matchExpressions
          .filter(({ operator }) => operator === 'NotIn' || operator === 'DoesNotExist')
          .map((expression) => policy.positions.value(expression, 'operator')),
      ),
  },
} satisfies DifferenceTable;

/** NotIn is about every namespace that it does not name. */
function findUserNamespace(filter: SetFilter, positions: Positions): Span[] {
  const { operator, values = [] } = filter;
  if (operator === 'NotIn') return values.includes('User') ? [] : [positions.value(filter, 'operator')];
  return values.flatMap((value, i) => (value === 'User' ? [positions.value(values, i)] : []));
}

function findPathExemptions(policy: ComparedPolicy): Span[] {
  const options = policy.data.spec?.options ?? [];
  if (isOptionOn(options.findLast(({ name }) => name === 'trust-binary-paths')?.value)) return [];
  return listSelectors(policy).flatMap(({ selector }) =>
    [...(selector.matchBinaries ?? []), ...(selector.matchParentBinaries ?? [])]
      .filter(({ operator }) => operator?.startsWith('Not') === true)
      .map((filter) => policy.positions.value(filter, 'operator')),
  );
}

/** Returns the scope of the policy and those of its selectors. */
function listWorkloads(policy: ComparedPolicy): WorkloadData[] {
  const { spec } = policy.data;
  const own = listSelectors(policy).flatMap(({ selector }) => selector.matchWorkloads ?? []);
  return spec === undefined ? own : [spec, ...own];
}

interface LabelKey {
  readonly key: string;
  readonly span: Span;
}

function labelKeys({ matchLabels = {}, matchExpressions = [] }: LabelSelectorData, positions: Positions): LabelKey[] {
  return [
    ...Object.keys(matchLabels).map((key) => ({ key, span: positions.key(matchLabels, key) })),
    ...matchExpressions.flatMap((expression) =>
      expression.key === undefined ? [] : [{ key: expression.key, span: positions.value(expression, 'key') }],
    ),
  ];
}

/** The keys that Tetragon has, too. */
const SHARED_KEYS: readonly string[] = CONTAINER_FIELDS.slice(0, 2);

function isOwnKey(key: string): boolean {
  return (
    key.startsWith(CONTAINER_LABEL) ||
    ((CONTAINER_FIELDS as readonly string[]).includes(key) && !SHARED_KEYS.includes(key))
  );
}
