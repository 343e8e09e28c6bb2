/** The phrases of explanations: one for each form of a filter, a value, a scope and an action. */
import assert from 'node:assert/strict';
import {
  describeAction,
  describeBinaries,
  describeChanges,
  describeCmdArgs,
  describeData,
  describeFilter,
  describePids,
  describeProcessState,
  describeRead,
} from '../../../lib/policy/explain/phrases.js';
import { describeNodes, describeScope } from '../../../lib/policy/explain/scopes.js';

const CAPABILITY_FILTER = { operator: 'NotIn', values: ['CAP_CHOWN'], isNamespaceCapability: true } as const;

const PHRASES: readonly (readonly [found: string | readonly string[], expected: string | readonly string[]])[] = [
  // scopes
  [describeScope({ exempts: false }), []],
  [describeScope({ exempts: false, pods: [] }), ['processes in a container of any pod']],
  [
    describeScope({
      exempts: false,
      namespace: 'web',
      containers: [{ key: 'name', operator: 'In', values: ['nginx'] }],
    }),
    [`processes in a container of a pod of the namespace "web", where the container's name is "nginx"`],
  ],
  [
    describeScope({ exempts: false, containers: [{ key: 'label:tier', operator: 'Exists', values: [] }], host: [] }),
    [`processes in a container, where the container's label "tier" exists`, 'processes in no container'],
  ],
  [
    describeScope({
      exempts: false,
      pods: [
        { key: 'app', operator: 'NotIn', values: ['a', 'b'] },
        { key: 'k8s:io.kubernetes.pod.namespace', operator: 'In', values: ['web'] },
      ],
      host: [{ key: 'zone', operator: 'DoesNotExist', values: [] }],
    }),
    [
      `processes in a container of any pod, where not (the pod's label "app" is "a" or "b") and the pod's namespace is "web"`,
      `processes in no container, where the node's label "zone" does not exist`,
    ],
  ],
  [describeNodes([{ key: 'zone', operator: 'In', values: ['a'] }]), [`the node's label "zone" is "a"`]],
  // processes
  [describeBinaries('binary', { values: ['/a'] }), 'binary is "/a"'],
  [describeCmdArgs({ operator: 'Equal', values: ['-e', '-c'] }), 'an argument of the command is "-e" or "-c"'],
  [
    describeCmdArgs({ index: 1, operator: 'NotPrefix', values: ['10.'] }),
    'not (argument 1 of the command begins with "10.")',
  ],
  [
    describeBinaries('binary', { operator: 'NotIn', values: ['/a'], followChildren: true }),
    'not (binary is "/a", or that of an ancestor)',
  ],
  [describeBinaries('binary', { operator: 'Prefix', values: ['/a'] }), 'binary begins with "/a"'],
  [describeBinaries('binary', { operator: 'NotPostfix', values: ['/a'] }), 'not (binary ends with "/a")'],
  [describePids({ operator: 'In', values: [1, 2] }), 'process id is 1 or 2'],
  [
    describePids({ operator: 'NotIn', values: [1], followForks: true, isNamespacePID: true }),
    'not (process id in its own namespace is 1, or that of an ancestor)',
  ],
  [describeProcessState({}), []],
  [
    describeProcessState({
      matchNamespaces: [{ namespace: 'Net', operator: 'NotIn', values: ['host_ns'] }],
      matchCapabilities: [CAPABILITY_FILTER, { type: 'Permitted', operator: 'In', values: ['CAP_CHOWN'] }],
    }),
    [
      'not (Net namespace is "host_ns")',
      'not (effective capabilities have "CAP_CHOWN")',
      'its user namespace is not the initial one',
      'permitted capabilities have "CAP_CHOWN"',
    ],
  ],
  [describeChanges({}), []],
  [
    describeChanges({
      matchNamespaceChanges: [{ operator: 'In', values: ['Net'] }],
      matchCapabilityChanges: [CAPABILITY_FILTER],
    }),
    [
      'namespaces changed since exec or the last event: "Net"',
      'not (effective capabilities changed since exec or the last event: "CAP_CHOWN")',
      'its user namespace is not the initial one',
    ],
  ],
  // values
  [describeData(undefined), 'a value of data'],
  [describeData({ type: 'int', source: 'current_task', resolve: 'pid', label: 'id' }), `the task's pid "id" (int)`],
  [describeData({ type: 'uint64', source: 'pt_regs', resolve: 'ax' }), 'register ax (uint64)'],
  [describeData({ type: 'int', index: 2, resolve: 'f_flags' }), `parameter 2's f_flags (int)`],
  [describeData({ type: 'int' }), 'parameter 0 (int)'],
  [describeRead({}), ''],
  [
    describeRead({ resolve: 'a.b', btfType: 'thing', sizeArgIndex: 3, maxData: true, returnCopy: true }),
    ', its a.b, as a struct thing, as long as parameter 2 says, as much as fits into the event, when the function returns',
  ],
  [describeFilter('x', { operator: 'SPortPriv' }), 'x has a source port below 1024'],
  [
    describeFilter('x', { operator: 'NotEqual', values: ['1', '2', '3', '4', '5', '6', '7', '8', '9'] }),
    'not (x is "1" or "2" or "3" or "4" or 5 more)',
  ],
  // actions
  [describeAction({ action: 'Post' }), 'Post'],
  [describeAction({ action: 'Override', argRegs: ['rax=1', 'rbx=2'] }), 'Override (argRegs rax=1 rbx=2)'],
];

describe('policy: phrases of explanations', () => {
  PHRASES.forEach(([found, expected], i) => {
    it(`${i + 1}: ${expected === '' || expected.length === 0 ? 'nothing' : String(expected)}`, () => {
      assert.deepEqual(found, expected);
    });
  });
});
