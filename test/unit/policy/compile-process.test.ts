/** Compiles filters on the process. */
import assert from 'node:assert/strict';
import { compilePolicy } from '../../../lib/policy/index.js';
import type { CompiledPolicy } from '../../../lib/compiled/compiled-policy.js';
import { compileHook, yamlItem, kprobeYaml } from './marked-policies.js';

function compileSelectors(...selectors: string[]): CompiledPolicy {
  return compilePolicy(selectorListYaml(...selectors));
}

function selectorListYaml(...selectors: string[]): string {
  return kprobeYaml(`call: f\nselectors:\n${selectors.map(yamlItem).join('\n')}`);
}

const listGroups = (...selectors: string[]): unknown[] =>
  compileHook(selectorListYaml(...selectors)).process.map(({ field, negate, selectors: own, tests }) => [
    field,
    negate,
    own,
    tests.map(({ op, value, host }) => (host === true ? 'host' : op === 'equal' ? value : [op, value])),
  ]);

const pidFilter = (more: string): string => `matchPIDs: [{operator: In, values: [5, 6]${more}}]`;

describe('policy: filters on the process', () => {
  it('compares ids', () => {
    assert.deepEqual(listGroups('matchPIDs:\n- {operator: NotIn, values: [0]}\n- {operator: NotIn, values: [1]}'), [
      ['pid', true, [0], [0n]],
      ['pid', true, [0], [1n]],
    ]);
    assert.deepEqual(listGroups(pidFilter(', isNamespacePID: true'), pidFilter('')), [
      ['namespacePid', false, [0], [5n, 6n]],
      ['pid', false, [1], [5n, 6n]],
    ]);
  });

  it('compares namespaces', () => {
    const namespaceFilter = (values: string): string =>
      `matchNamespaces: [{namespace: Net, operator: NotIn, values: [${values}]}]`;
    assert.deepEqual(
      listGroups(
        namespaceFilter('host_ns, "4026531840"'),
        'matchNamespaces: [{namespace: PidForChildren, operator: In, values: ["0x10"]}]',
      ),
      [
        [{ namespace: 'Net' }, true, [0], ['host', 4026531840n]],
        [{ namespace: 'PidForChildren' }, false, [1], [16n]],
      ],
    );
  });

  const sets: readonly (readonly [string, string])[] = [
    ['', 'capEffective'],
    ['type: Effective, ', 'capEffective'],
    ['type: Permitted, ', 'capPermitted'],
    ['type: Inheritable, ', 'capInheritable'],
  ];
  for (const [type, field] of sets) {
    it(`compares ${field}`, () => {
      assert.deepEqual(listGroups(`matchCapabilities: [{${type}operator: In, values: [CAP_CHOWN, CAP_SYS_ADMIN]}]`), [
        [field, false, [0], [['mask', 0x200001n]]],
      ]);
    });
  }

  it('requires another user namespace as well', () => {
    for (const operator of ['In', 'NotIn']) {
      assert.deepEqual(
        listGroups(`matchCapabilities: [{operator: ${operator}, isNamespaceCapability: true, values: [CAP_CHOWN]}]`),
        [
          ['capEffective', operator === 'NotIn', [0], [['mask', 1n]]],
          [{ namespace: 'User' }, true, [0], ['host']],
        ],
      );
    }
  });

  it('NotIn compares all namespaces that it does not name', () => {
    const { changes } = compileHook(selectorListYaml('matchNamespaceChanges: [{operator: NotIn, values: [Uts, Mnt]}]'));
    assert.deepEqual(changes[0]?.namespaces, ['Cgroup', 'Ipc', 'Net', 'Pid', 'PidForChildren', 'Time', 'TimeForChildren', 'User']); // prettier-ignore
  });

  it('finds changes', () => {
    const { changes } = compileHook(
      selectorListYaml(
        'matchNamespaceChanges: [{operator: In, values: [Uts, Mnt, Uts]}]',
        'matchNamespaceChanges: [{operator: In, values: [Mnt, Uts]}]\nmatchCapabilityChanges: [{operator: NotIn, type: Permitted, isNamespaceCapability: true, values: [CAP_BPF]}]',
      ),
    );
    assert.deepEqual(changes, [
      { namespaces: ['Mnt', 'Uts'], capabilities: 0n, capabilitySet: 'effective', outsideHost: false, selectors: [0, 1] },
      { namespaces: [], capabilities: BigInt.asUintN(64, ~(2n ** 39n)), capabilitySet: 'permitted', outsideHost: true, selectors: [1] },
    ]); // prettier-ignore
  });
});

describe('policy: sets of processes', () => {
  const NONE = { equal: [], prefix: [], postfix: [], pids: [], inNamespace: false, follow: false, trusted: false };

  it('merges equal sets with the same meaning, and shares their tests', () => {
    const { processSets, hooks } = compileSelectors(
      'matchBinaries: [{operator: In, values: [/b, /a, /b]}]',
      'matchBinaries: [{operator: NotIn, values: [/a, /b]}]',
      'matchBinaries: [{operator: In, values: [/a, /b]}]',
      'matchBinaries: [{operator: NotPostfix, values: [sh]}]',
      'matchBinaries: [{operator: Prefix, values: [/usr]}]',
    );
    assert.deepEqual(processSets, [
      { ...NONE, equal: ['/a', '/b'] },
      { ...NONE, equal: ['/a', '/b'], trusted: true },
      { ...NONE, postfix: ['sh'], trusted: true },
      { ...NONE, prefix: ['/usr'] },
    ]);
    assert.deepEqual(hooks[0]?.sets, [
      { set: 0, negate: false, parent: false, selectors: [0, 2] },
      { set: 1, negate: true, parent: false, needsExecutable: true, selectors: [1] },
      { set: 2, negate: true, parent: false, needsExecutable: true, selectors: [3] },
      { set: 3, negate: false, parent: false, selectors: [4] },
    ]);
  });

  it('compiles arguments to sets; a filter that exempts does not take unknown arguments', () => {
    const { processSets, hooks } = compileSelectors(
      'matchCmdArgs: [{operator: Equal, values: [-b, -a]}, {index: 2, operator: NotPrefix, values: [x]}]',
      'matchCmdArgs: [{operator: NotPostfix, values: [y]}]\nmatchActions: [{action: NoPost}]',
    );
    assert.deepEqual(processSets, [
      { ...NONE, argument: 'any', equal: ['-a', '-b'] },
      { ...NONE, argument: 2, prefix: ['x'], trusted: true },
      { ...NONE, argument: 'any', postfix: ['y'] },
    ]);
    assert.deepEqual(hooks[0]?.sets, [
      { set: 0, negate: false, parent: false, selectors: [0] },
      { set: 1, negate: true, parent: false, needsExecutable: true, selectors: [0] },
      { set: 2, negate: true, parent: false, needsExecutable: true, selectors: [1] },
    ]);
  });

  it('follows children and forks, and compares parents', () => {
    const { processSets, hooks } = compileSelectors(
      'matchBinaries: [{operator: In, values: [/a], followChildren: true}]\nmatchParentBinaries: [{operator: NotIn, values: [/a]}]',
      pidFilter(', followForks: true'),
      pidFilter(', followForks: true, isNamespacePID: true'),
      'matchBinaries: [{operator: In, values: [/a]}]',
    );
    assert.deepEqual(processSets, [
      { ...NONE, equal: ['/a'], follow: true },
      { ...NONE, equal: ['/a'], trusted: true },
      { ...NONE, pids: [5, 6], follow: true },
      { ...NONE, pids: [5, 6], inNamespace: true, follow: true },
      { ...NONE, equal: ['/a'] },
    ]);
    assert.deepEqual(hooks[0]?.sets, [
      { set: 0, negate: false, parent: false, selectors: [0] },
      { set: 1, negate: true, parent: true, selectors: [0] },
      { set: 2, negate: false, parent: false, selectors: [1] },
      { set: 3, negate: false, parent: false, selectors: [2] },
      { set: 4, negate: false, parent: false, selectors: [3] },
    ]);
    assert.deepEqual(hooks[0]?.process, []);
  });

  const listTrusted = (policy: CompiledPolicy): boolean[] =>
    (policy.hooks[0]?.sets ?? []).map(({ set }) => policy.processSets[set]?.trusted === true);

  it('a set that exempts processes has trusted executables only', () => {
    const binariesFilter = (operator: string): string => `matchBinaries: [{operator: ${operator}, values: [/a]}]`;
    const actionsFilter = (...names: string[]): string =>
      `matchActions: [${names.map((name) => (name === 'Signal' ? '{action: Signal, argSig: 1}' : `{action: ${name}}`)).join(', ')}]`;
    const compileTrusted = (operator: string, ...names: string[]): boolean[] =>
      listTrusted(
        compileSelectors(
          names.length === 0 ? binariesFilter(operator) : `${binariesFilter(operator)}\n${actionsFilter(...names)}`,
        ),
      );
    assert.deepEqual(compileTrusted('In'), [false]);
    assert.deepEqual(compileTrusted('NotIn'), [true]);
    assert.deepEqual(compileTrusted('NotPrefix'), [true]);
    assert.deepEqual(compileTrusted('NotPostfix', 'Sigkill'), [true]);
    // A selector that only suppresses events exempts the processes that match.
    assert.deepEqual(compileTrusted('In', 'NoPost'), [true]);
    assert.deepEqual(compileTrusted('NotIn', 'NoPost'), [false]);
    // A selector with another action is not an exemption.
    assert.deepEqual(compileTrusted('In', 'NoPost', 'Sigkill'), [false]);
    assert.deepEqual(compileTrusted('NotIn', 'Signal', 'NoPost'), [true]);
    assert.deepEqual(listTrusted(compileSelectors('matchParentBinaries: [{operator: NotIn, values: [/a]}]')), [true]);
  });

  it('a set that exempts by the id in the own namespace has only trusted ids', () => {
    const compileTrusted = (operator: string, more: string, actions = ''): boolean[] =>
      listTrusted(
        compileSelectors(`matchPIDs: [{operator: ${operator}, values: [1], followForks: true${more}}]${actions}`),
      );
    const namespace = ', isNamespacePID: true';
    assert.deepEqual(compileTrusted('NotIn', namespace), [true]);
    assert.deepEqual(compileTrusted('In', namespace), [false]);
    assert.deepEqual(compileTrusted('In', namespace, '\nmatchActions: [{action: NoPost}]'), [true]);
    assert.deepEqual(compileTrusted('NotIn', ''), [false], 'no process can choose its id on the host');
  });

  it('a report-only selector yields to a later enforcing selector unless a trusted id in its namespace exempts it', () => {
    const { hooks, processSets } = compileSelectors(
      'matchPIDs: [{operator: In, values: [1], isNamespacePID: true}]',
      'matchPIDs: [{operator: NotIn, values: [2], isNamespacePID: true}]',
      'matchActions: [{action: Sigkill}]',
    );
    const yielding = (hooks[0]?.sets ?? []).filter(({ yields }) => yields === true);
    assert.deepEqual(
      yielding.map(({ set, negate, selectors }) => [processSets[set], negate, selectors]),
      [[{ ...NONE, pids: [1], inNamespace: true, trusted: true }, false, [0]]],
    );
  });

  it('a report-only selector yields to a later enforcing selector, unless the executable is trusted', () => {
    const filters = 'matchBinaries: [{operator: In, values: [/a]}]';
    const negated = 'matchBinaries: [{operator: NotIn, values: [/b]}]';
    const parents = 'matchParentBinaries: [{operator: Prefix, values: [/c]}]';
    const kill = 'matchActions: [{action: Sigkill}]';
    const noPost = 'matchActions: [{action: NoPost}]';
    const listYielding = (...selectors: string[]): unknown[] => {
      const { hooks, processSets } = compileSelectors(...selectors);
      return (hooks[0]?.sets ?? [])
        .filter(({ yields }) => yields === true)
        .map(({ set, parent, negate, selectors: own }) => [processSets[set], parent, negate, own]);
    };
    assert.deepEqual(listYielding(`${filters}\n${parents}`, filters, negated, kill, filters), [
      [{ ...NONE, equal: ['/a'], trusted: true }, false, false, [0, 1]],
      [{ ...NONE, prefix: ['/c'], trusted: true }, true, false, [0]],
    ]);
    assert.deepEqual(listYielding(filters, filters), []);
    assert.deepEqual(listYielding(`${filters}\n${kill}`, kill), []);
    // The set exempts trusted executables only.
    assert.deepEqual(listYielding(`${filters}\n${noPost}`, kill), []);
    // An action of the return also enforces.
    const returning = `call: f\nreturn: true\nreturnArg: {index: 0, type: int}\nselectors:\n${yamlItem(filters)}`;
    const { hooks } = compilePolicy(kprobeYaml(`${returning}\n- matchReturnActions: [{action: Sigkill}]`));
    assert.deepEqual(
      hooks[0]?.sets.map(({ yields }) => yields),
      [undefined, true],
    );
  });

  it('trust-binary-paths: paths are compared as processes see them', () => {
    const text = kprobeYaml('call: f\nselectors:\n- matchBinaries: [{operator: NotIn, values: [/a]}]');
    const options = 'spec:\n  options: [{name: trust-binary-paths, value: "true"}]';
    assert.deepEqual(listTrusted(compilePolicy(text.replace('spec:', options))), [false]);
    assert.deepEqual(listTrusted(compilePolicy(text.replace('spec:', options.replace('true', 'false')))), [true]);
    const selectorsText = '- matchBinaries: [{operator: In, values: [/a]}]\n- matchActions: [{action: Sigkill}]';
    const laterEnforcing = kprobeYaml(`call: f\nselectors:\n${selectorsText}`);
    assert.deepEqual(listTrusted(compilePolicy(laterEnforcing)), [false, true]);
    assert.deepEqual(listTrusted(compilePolicy(laterEnforcing.replace('spec:', options))), [false]);
  });
});
