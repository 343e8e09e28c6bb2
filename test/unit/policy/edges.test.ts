/** Corner cases: limits that need long policies, several mistakes at one position, hints without a similar name. */
import assert from 'node:assert/strict';
import { hostFiles } from '../../../lib/elf-files/host-files.js';
import { explainPolicy, validatePolicy } from '../../../lib/policy/index.js';
import type { KernelInfo, TypeInfo } from '../../../types/kernel.js';
import { fakeKernel } from './fake-kernel.js';
import { checkMarked, yamlItem, kprobeYaml, parseMarks, policyYaml, selectorsYaml } from './marked-policies.js';

const repeatLines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

const cases: readonly (readonly [string, string])[] = [
  ['4,089 hooks', policyYaml(`kprobes:\n${repeatLines(4088, (i) => `- {call: f${i}}`)}\n- ⟦LIMIT_HOOKS⟧{call: last}`)],
  [
    '129 sets of binaries in 64 selectors do not fit',
    kprobeYaml(
      `call: f\nselectors:\n${repeatLines(64, (i) => `- matchBinaries: [{operator: In, values: [/b${i}]}]`)}\n- ⟦LIMIT_SELECTORS⟧matchBinaries: [{operator: In, values: [/last]}]`,
    ),
  ],
  [
    'an enforcer of a list that does not exist',
    policyYaml('enforcers: [{calls: [sys_dup, ⟦UNKNOWN_LIST⟧"list:none"]}]\nkprobes: [{call: f}]'),
  ],
  ['enforcers without calls', policyYaml('enforcers: [⟦MISSING_FIELD⟧{}]\nkprobes: [{call: f}]')],
  [
    'a list with only broken values',
    policyYaml('lists: [{name: a, values: [⟦WRONG_TYPE⟧7]}]\nkprobes: [{call: "list:a"}]'),
  ],
  [
    'lists without names',
    policyYaml('lists: [⟦MISSING_FIELD⟧⟦LIST_EMPTY⟧{type: syscalls}]\nkprobes: [{call: f}]').replace(
      '⟦MISSING_FIELD⟧⟦LIST_EMPTY⟧',
      '⟦LIST_EMPTY⟧⟦MISSING_FIELD⟧',
    ),
  ],
  [
    'values for a generated list',
    policyYaml('lists: [{name: a, type: generated_syscalls, ⟦LIST_FIELD_UNUSED⟧values: [f]}]\nkprobes: [{call: f}]'),
  ],
  ['a macro when there are none', kprobeYaml('call: f\nselectors: [{macros: [⟦UNKNOWN_MACRO⟧anything]}]')],
  [
    'a macro with the name of a member of every object',
    kprobeYaml('call: f\nselectors: [{macros: [⟦UNKNOWN_MACRO⟧constructor]}]'),
  ],
  [
    'an option with an unknown name',
    policyYaml('options: [{name: ⟦OPTION_UNKNOWN⟧zzzzzzzzzz, value: "1"}]\nkprobes: [{call: f}]'),
  ],
  ['an option without a value', policyYaml('options: [⟦OPTION_INVALID⟧{name: policy-mode}]\nkprobes: [{call: f}]')],
  ['an option without a name', policyYaml('options: [⟦MISSING_FIELD⟧{value: "1"}]\nkprobes: [{call: f}]')],
  [
    'a correct digest, and broken attach points',
    policyYaml(`uprobes: [{path: /a, symbols: [⟦WRONG_TYPE⟧7], binaryDigests: [${'ab'.repeat(32)}]}]`),
  ],
  ['attach points of the wrong type', policyYaml('uprobes: [{path: /a, offsets: ⟦WRONG_TYPE⟧4096}]')],
  [
    'no value can match at return',
    selectorsYaml(
      '⟦SELECTOR_NEVER_MATCHES⟧matchReturnArgs:\n- {index: 0, operator: GT, values: ["0"]}\n- {index: 0, operator: LT, values: ["0"]}',
    ),
  ],
  [
    'the name of a pipe, which is not a path',
    selectorsYaml('matchArgs: [{index: 0, operator: Equal, values: ["pipe:[1]"]}]'),
  ],
  [
    'a namespace whose name is similar to none',
    kprobeYaml(
      'call: f\nselectors:\n- matchNamespaceChanges: [{operator: In, values: [⟦NAMESPACE_INVALID⟧everything]}]',
    ),
  ],
  [
    'followed processes without mistakes',
    kprobeYaml(
      'call: f\nselectors:\n- matchPIDs: [{operator: In, values: [1], followForks: true}, {operator: NotIn, values: [1]}]',
    ),
  ],
  [
    'a selector with a workload shadows none',
    kprobeYaml('call: f\nselectors:\n- matchWorkloads: {podSelector: {}}\n- matchActions: [{action: Post}]'),
  ],
  [
    'a selector with a broken filter shadows none',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: int}]\nselectors:\n- matchArgs: [{index: ⟦INDEX_WITHOUT_ARG⟧3, operator: Equal, values: ["1"]}]\n- matchArgs: [{index: 0, operator: Equal, values: ["1"]}]',
    ),
  ],
  ['a null in a list', policyYaml('kprobes: [{call: f, tags: [a, ⟦WRONG_TYPE⟧~]}]')],
  ['a required field without a value', policyYaml('kprobes: [{call: ⟦WRONG_TYPE⟧~}]')],
  [
    'a label without a value',
    policyYaml('loader: true').replace('name: test', 'name: test\n  uid: ~\n  labels: {⟦WRONG_TYPE⟧a: }'),
  ],
  ['true as a value', selectorsYaml('matchArgs: [{index: 1, operator: Equal, values: [⟦WRONG_TYPE⟧true]}]')],
  ['a group as a value', selectorsYaml('matchArgs: [{index: 1, operator: Equal, values: [⟦WRONG_TYPE⟧{a: b}]}]')],
  [
    'an arg whose index is broken',
    kprobeYaml(
      'call: f\nargs: [{index: ⟦WRONG_TYPE⟧x, type: int}]\nselectors: [{matchArgs: [{index: 3, operator: Equal, values: ["1"]}]}]',
    ),
  ],
  [
    'an arg whose type is broken',
    kprobeYaml(
      'call: f\nargs: [{index: 0, type: ⟦UNKNOWN_VALUE⟧integr}]\nselectors: [{matchArgs: [{index: 0, operator: Equal, values: ["1"]}]}]',
    ),
  ],
  ['an alias with an anchor', 'a: &x 1\nb: &y ⟦YAML_ALIAS⟧*x\n'],
  ['an invalid directive', '⟦YAML_SYNTAX⟧%YAML\n'],
  [
    'an action of a broken kind',
    kprobeYaml(
      'call: ⟦EMPTY_TEXT⟧""\nselectors: [{matchActions: [{action: ⟦UNKNOWN_VALUE⟧Kil, argError: 1}, {action: ⟦SIGKILL_TOO_LATE⟧Sigkill}]}]',
    ),
  ],
];

describe('policy: corners', () => {
  for (const [name, text] of cases) it(name, () => checkMarked(text));

  it('truncates excerpts, but never within a character', () => {
    const found = validatePolicy(policyYaml(`kprobes: [{call: f, ${'🚀'.repeat(60)}: 1}]`));
    const [first] = found;
    assert.equal(first?.code, 'UNKNOWN_FIELD');
    assert.ok((first?.text.length ?? 99) <= 80 && first?.text.endsWith('🚀…'), first?.text);
    assert.ok((first?.message.length ?? 999) < 160);
    const odd = validatePolicy(policyYaml(`kprobes: [{call: f, x${'🚀'.repeat(60)}: 1}]`))[0];
    assert.ok(odd?.text.endsWith('🚀…') && odd.text.length <= 80, odd?.text);
  });

  it('reports nothing about a kernel if the policy itself is broken', () => {
    for (const text of [
      kprobeYaml('⟦MISSING_FIELD⟧syscall: false'),
      policyYaml('lsmhooks: [⟦MISSING_FIELD⟧{args: []}]'),
      policyYaml('tracepoints: [⟦MISSING_FIELD⟧{event: a}]'),
      policyYaml('tracepoints: [⟦MISSING_FIELD⟧{subsystem: a}]'),
      kprobeYaml('call: security_file_permission\nsyscall: false\nargs: [⟦MISSING_FIELD⟧{type: int}, {index: 0}]'),
    ]) {
      const { yaml, expected } = parseMarks(text);
      const found = validatePolicy(yaml, { kernel: fakeKernel, files: hostFiles });
      assert.deepEqual(found.map((d) => d.code).sort(), expected.map(({ code }) => code).sort());
    }
  });

  const findHint = (text: string, kernel: KernelInfo = fakeKernel): string | undefined =>
    validatePolicy(text, { kernel }).find((d) => !d.code.startsWith('UNSUPPORTED_'))?.hint;

  it('gives a hint if no name is similar', () => {
    const voidFunctionYaml = (args: string): string => kprobeYaml(`call: vfs_void\nsyscall: false\nargs: [${args}]`);
    const tracepointYaml = (body: string): string => policyYaml(`tracepoints:\n${yamlItem(body)}`);
    assert.match(
      findHint(voidFunctionYaml('{index: 0, type: int, btfType: zzzzzzzz}')) ?? '',
      /without the word struct/,
    );
    assert.match(findHint(tracepointYaml('subsystem: sched\nevent: zzzzzzzzz\nraw: true')) ?? '', /kernel source/);
    assert.match(findHint(tracepointYaml('subsystem: zzzzzzzzz\nevent: x')) ?? '', /tracefs/);
    assert.match(
      findHint(kprobeYaml('call: takes_text\nsyscall: false\nargs: [{index: 2, type: uint32}]')) ?? '',
      /use uint16/,
    );
  });

  it('shows types as they are written in C', () => {
    const base = { name: '', alias: '', size: 0, signed: false, target: () => undefined, members: () => [] };
    const types: readonly (readonly [TypeInfo, RegExp])[] = [
      [{ ...base, kind: 'function' }, /is a function,/],
      [{ ...base, kind: 'pointer', size: 8 }, /is void \*,/],
      [{ ...base, kind: 'array' }, /is void\[\],/],
      [
        { ...base, kind: 'array', target: () => ({ ...base, kind: 'int', name: 'int', size: 4, signed: true }) },
        /is int\[\],/,
      ],
      [{ ...base, kind: 'union', name: 'u' }, /is union u,/],
      [{ ...base, kind: 'struct', name: 's', alias: 's_t' }, /is s_t,/],
      [{ ...base, kind: 'float', name: 'float' }, /is float,/],
      [{ ...base, kind: 'other' }, /is other,/],
    ];
    for (const [type, pattern] of types) {
      const kernel: KernelInfo = { ...fakeKernel, function: () => ({ params: [{ name: 'p', type }], returns: type }) };
      const [found] = validatePolicy(kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: file}]'), { kernel });
      assert.match(found?.message ?? '', pattern);
      assert.equal(found?.code, 'ARG_TYPE_MISMATCH');
    }
    const none: KernelInfo = { ...fakeKernel, function: () => ({ params: [], returns: { ...base, kind: 'void' } }) };
    assert.match(
      findHint(kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: fd}]'), none) ?? '',
      /it has none$/,
    );
  });

  it('reads descriptors of int parameters only', () => {
    const listCodes = (args: string) =>
      validatePolicy(kprobeYaml(`call: security_file_permission\nsyscall: false\nargs: [${args}]`), {
        kernel: fakeKernel,
      }).map((d) => d.code);
    assert.deepEqual(listCodes('{index: 1, type: fd}'), []);
    const struct = validatePolicy(kprobeYaml('call: takes_text\nsyscall: false\nargs: [{index: 1, type: fd}]'), {
      kernel: fakeKernel,
    });
    assert.deepEqual(
      struct.map((d) => d.code),
      ['ARG_TYPE_MISMATCH'],
    );
  });

  it('lists the first members of a large structure', () => {
    const members = Array.from({ length: 20 }, (_, i) => ({
      name: `member_number_${i}`,
      bitOffset: 0,
      bitfieldSize: 0,
      type: fakeKernel.struct('inode') as TypeInfo,
    }));
    const struct: TypeInfo = { ...(fakeKernel.struct('inode') as TypeInfo), members: () => members };
    const kernel: KernelInfo = {
      ...fakeKernel,
      function: () => ({ params: [{ name: 'p', type: struct }], returns: struct }),
    };
    assert.match(
      findHint(kprobeYaml('call: f\nsyscall: false\nargs: [{index: 0, type: nop, resolve: q}]'), kernel) ?? '',
      /member_number_11, …$/,
    );
  });

  it('explains hooks that only trampolines support', () => {
    const explainAttach = (more: string): string | undefined =>
      explainPolicy(policyYaml(`fentries: [{call: f, syscall: false${more}}]`)).hooks[0]?.attach;
    assert.equal(explainAttach(''), 'fentry');
    assert.equal(explainAttach(', return: true, returnArg: {index: 0, type: int}'), 'fentry and fexit');
    assert.equal(explainAttach(', args: [{index: 0, type: char_buf, sizeArgIndex: 2, returnCopy: true}]'), 'fentry and fexit'); // prettier-ignore
    assert.equal(explainAttach(', args: [{index: 0, type: char_buf, sizeArgIndex: 2}]'), 'fentry');
  });

  it('explains default values', () => {
    const { hooks, namespace } = explainPolicy(
      policyYaml(
        'kprobes: [{call: f, args: [{index: 3, type: size_t}], data: [{index: 0, type: int}], selectors: [{matchData: [{index: 0, operator: Equal, values: ["1"]}], matchArgs: [{args: [0], operator: Equal, values: ["1"]}]}]}]',
      ).replace('kind: TracingPolicy', 'kind: TracingPolicyNamespaced'),
    );
    assert.equal(namespace, 'default');
    assert.deepEqual(hooks[0]?.selectors[0]?.conditions, ['argument 3 (size_t) is "1"', 'parameter 0 (int) is "1"']);
  });
});
