/** Compiles policies: every filter in the form that the BPF programs evaluate. */
import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../lib/policy/index.js';
import type { IntGroup, StringTable } from '../../../lib/compiled/compiled-policy.js';
import { compiledHook } from '../compiled-hooks.js';
import { compileHook, FILE_AND_INT, yamlItem, kprobeYaml, policyYaml, selectorsYaml } from './marked-policies.js';

function compileInts(type: string, filters: string): readonly IntGroup[] {
  return (
    compileHook(`${kprobeYaml(`call: f\nsyscall: false\nargs: [{index: 2, type: ${type}}]\nselectors:\n${filters}`)}`)
      .args[0]?.ints ?? []
  );
}

function compileStrings(key: 'equal' | 'prefix' | 'postfix', ...selectorBodies: string[]): StringTable {
  const table = compileHook(kprobeYaml(`${FILE_AND_INT}\nselectors:\n${selectorBodies.map(yamlItem).join('\n')}`))
    .args[0]?.texts[key];
  assert.ok(table);
  return table;
}

const NO_FILTERS = { ints: [], texts: {}, net: {} };

const intSelector = (operator: string, values: string): string =>
  `- matchArgs: [{index: 2, operator: ${operator}, values: [${values}]}]`;
const fileFilter = (operator: string, ...values: string[]): string =>
  `{index: 0, operator: ${operator}, values: [${values.join(', ')}]}`;

describe('policy: hooks of a compiled policy', () => {
  it('has the options of the policy for the hook', () => {
    const compiled = compilePolicy(
      policyYaml(`
        kprobes:
        - call: sys_openat
          message: an open
          tags: [a, b]
          args:
          - {index: 1, type: string, label: name}
          - {index: 0, type: nop}
          ignore: {callNotFound: true}`),
      { file: 'x.yaml' },
    );
    assert.deepEqual(compiled, {
      name: 'test',
      hooks: [
        compiledHook({
          call: 'sys_openat',
          syscall: true,
          position: { file: 'x.yaml', line: 7, column: 11 },
          message: 'an open',
          ignoreCallNotFound: true,
          tags: ['a', 'b'],
          args: [
            { index: 1, type: 'string', label: 'name', ...NO_FILTERS, position: { line: 11, column: 7 } },
            { index: 0, type: 'nop', ...NO_FILTERS, position: { line: 12, column: 7 } },
          ],
        }),
      ],
      processSets: [],
      scopes: [],
    });
  });

  it('reads the return value only if the policy asks for it', () => {
    const without = compileHook(kprobeYaml('call: f\nsyscall: false\nreturnArg: {index: 0, type: int}'));
    assert.equal(without.returnArg, undefined);
    const filtered = compileHook(selectorsYaml('matchReturnArgs: [{index: 0, operator: LT, values: ["0"]}]'));
    assert.deepEqual(filtered.returnArg?.ints, [
      { negate: false, selectors: [0], tests: [{ op: 'less', signed: true, value: 0n, selectors: [0] }] },
    ]);
  });

  it('makes one hook for a list of functions, also for a list that is generated at load', () => {
    const lists = [
      '{name: dups, type: syscalls, values: [sys_dup, sys_dup2, sys_dup]}',
      '{name: plain, values: [f]}',
      '{name: all, type: generated_syscalls}',
      '{name: ksys, type: generated_ftrace, pattern: "^ksys_"}',
    ];
    const calls = ['dups', 'plain', 'all', 'ksys'].map((name) => `- {call: "list:${name}", syscall: false}`);
    const compiled = compilePolicy(policyYaml(`lists:\n- ${lists.join('\n- ')}\nkprobes:\n${calls.join('\n')}`));
    assert.deepEqual(
      compiled.hooks.map(({ call, syscall, list }) => [call, syscall, list]),
      [
        ['list:dups', true, { functions: ['sys_dup', 'sys_dup2'] }],
        ['f', false, undefined],
        ['list:all', true, { generated: 'syscalls' }],
        ['list:ksys', false, { generated: 'ftrace', pattern: '^ksys_' }],
      ],
    );
  });

  it('attaches several functions with one link unless the option of their kind forbids it', () => {
    const hooks = 'kprobes: [{call: f}]\nuprobes: [{path: /a, symbols: [f, g]}]';
    const listSingleLinks = (options: string): unknown[] =>
      compilePolicy(policyYaml(`options: [${options}]\n${hooks}`)).hooks.map(({ singleLinks }) => singleLinks);
    assert.deepEqual(listSingleLinks('{name: disable-kprobe-multi, value: "1"}'), [true, undefined]);
    assert.deepEqual(listSingleLinks('{name: disable-uprobe-multi, value: "true"}'), [undefined, true]);
    assert.deepEqual(listSingleLinks('{name: disable-kprobe-multi, value: "0"}'), [undefined, undefined]);
  });

  it('merges macros into the selectors', () => {
    const hook = compileHook(
      policyYaml(
        `selectorsMacros:\n  writes:\n    matchArgs: [{index: 1, operator: Equal, values: ["2"]}]\nkprobes:\n${yamlItem(`${FILE_AND_INT}\nselectors:\n- macros: [writes]\n  matchArgs: [{index: 0, operator: Prefix, values: [/etc]}]\n- matchPIDs: [{operator: In, values: [1]}]`)}`,
      ),
    );
    assert.deepEqual(hook.args[1]?.ints, [
      { negate: false, selectors: [0], tests: [{ op: 'equal', signed: false, value: 2n, selectors: [0] }] },
    ]);
    assert.deepEqual(hook.args[0]?.texts.prefix?.positive, [0]);
  });

  it('is the same for the same policy, and accepts a parsed one', () => {
    const yaml = selectorsYaml('matchBinaries: [{operator: In, values: [/b, /a]}]');
    assert.deepEqual(compilePolicy(parsePolicy(yaml)), compilePolicy(yaml));
  });
});

describe('policy: numbers of a compiled policy', () => {
  const values: readonly (readonly [string, string, bigint])[] = [
    ['int', '4', 4n],
    ['int', '-1', 2n ** 64n - 1n],
    ['int', '-2147483648', 2n ** 64n - 2n ** 31n],
    ['int', '0x10', 16n],
    ['int', '010', 8n],
    ['int', '0o10', 8n],
    ['int', '0b101', 5n],
    ['int', '-0x10', 2n ** 64n - 16n],
    ['int', '0', 0n],
    ['uint32', '4294967295', 2n ** 32n - 1n],
    ['uint32', '0xFFFFFFFF', 2n ** 32n - 1n],
    ['size_t', '18446744073709551615', 2n ** 64n - 1n],
  ];
  for (const [type, text, value] of values) {
    it(`${type} ${text}`, () => {
      assert.deepEqual(compileInts(type, intSelector('Equal', `"${text}"`)), [
        { negate: false, selectors: [0], tests: [{ op: 'equal', signed: false, value, selectors: [0] }] },
      ]);
    });
  }

  const comparisons: readonly (readonly [string, string, string, boolean])[] = [
    ['int', 'GreaterThan', 'greater', true],
    ['int', 'GT', 'greater', true],
    ['int', 'LessThan', 'less', true],
    ['uint32', 'LT', 'less', false],
    ['size_t', 'GT', 'greater', false],
  ];
  for (const [type, operator, op, signed] of comparisons) {
    it(`${operator} of ${type}`, () => {
      assert.deepEqual(compileInts(type, intSelector(operator, '"7"'))[0]?.tests, [
        { op, signed, value: 7n, selectors: [0] },
      ]);
    });
  }

  it('merges the values of a mask', () => {
    assert.deepEqual(compileInts('int', intSelector('Mask', '"64", "1", "0x80000000"')), [
      { negate: false, selectors: [0], tests: [{ op: 'mask', signed: false, value: 0x80000041n, selectors: [0] }] },
    ]);
  });

  it('shares equal comparisons between selectors and puts the second filter of a selector into a second group', () => {
    const groups = compileInts(
      'int',
      `${intSelector('Equal', '"1", "2"')}
- matchArgs:
  - {index: 2, operator: Equal, values: ["2"]}
  - {index: 2, operator: NotEqual, values: ["9"]}
  - {index: 2, operator: GT, values: ["1"]}
- matchPIDs: [{operator: In, values: [1]}]`,
    );
    assert.deepEqual(groups, [
      {
        negate: false,
        selectors: [0, 1],
        tests: [
          { op: 'equal', signed: false, value: 1n, selectors: [0] },
          { op: 'equal', signed: false, value: 2n, selectors: [0, 1] },
        ],
      },
      { negate: false, selectors: [1], tests: [{ op: 'greater', signed: true, value: 1n, selectors: [1] }] },
      { negate: true, selectors: [1], tests: [{ op: 'equal', signed: false, value: 9n, selectors: [1] }] },
    ]);
  });
});

describe('policy: string filters of a compiled policy', () => {
  it('gives an entry the results of its shorter prefixes', () => {
    const table = compileStrings(
      'prefix',
      `matchArgs: [${fileFilter('Prefix', '/etc/shadow')}]`,
      `matchArgs: [${fileFilter('Prefix', '/etc', '/var')}]`,
    );
    assert.deepEqual(table, {
      positive: [0, 1],
      used: [0, 1],
      entries: [
        { value: '/etc', match: [1], reject: [] },
        { value: '/etc/shadow', match: [0, 1], reject: [] },
        { value: '/var', match: [1], reject: [] },
      ],
    });
  });

  it('ignores longer entries that do not match', () => {
    const table = compileStrings(
      'prefix',
      `matchArgs: [${fileFilter('Prefix', '/a', '/ab', '/ac')}]`,
      `matchArgs: [${fileFilter('Prefix', '/ab/c')}]`,
    );
    assert.deepEqual(
      table.entries.map(({ value, match }) => [value, match]),
      [
        ['/a', [0]],
        ['/ab', [0]],
        ['/ab/c', [0, 1]],
        ['/ac', [0]],
      ],
    );
  });

  it('requires all filters of a selector', () => {
    const table = compileStrings(
      'prefix',
      `matchArgs: [${fileFilter('Prefix', '/a', '/b')}, ${fileFilter('Prefix', '/a/x', '/b')}]`,
    );
    assert.deepEqual(
      table.entries.map(({ value, match }) => [value, match]),
      [
        ['/a', []],
        ['/a/x', [0]],
        ['/b', [0]],
      ],
    );
  });

  it('rejects with negated filters, also together with positive filters', () => {
    const table = compileStrings(
      'prefix',
      `matchArgs: [${fileFilter('Prefix', '/etc')}, ${fileFilter('NotPrefix', '/etc/ssl')}]`,
      `matchArgs: [${fileFilter('NotPrefix', '/etc')}]`,
    );
    assert.deepEqual(table, {
      positive: [0],
      used: [0, 1],
      entries: [
        { value: '/etc', match: [0], reject: [1] },
        { value: '/etc/ssl', match: [0], reject: [0, 1] },
      ],
    });
  });

  it('reads postfixes from their end', () => {
    const table = compileStrings(
      'postfix',
      `matchArgs: [${fileFilter('Postfix', 'rc')}]`,
      `matchArgs: [${fileFilter('Postfix', '.bashrc')}, ${fileFilter('NotPostfix', 'x.bashrc')}]`,
    );
    assert.deepEqual(table.entries, [
      { value: 'rc', match: [0], reject: [] },
      { value: '.bashrc', match: [0, 1], reject: [] },
      { value: 'x.bashrc', match: [0, 1], reject: [1] },
    ]);
  });

  it('separates complete strings from prefixes and postfixes', () => {
    const body = `matchArgs: [${fileFilter('Equal', '/a')}, ${fileFilter('Prefix', '/a')}, ${fileFilter('NotEqual', '/b')}]`;
    assert.deepEqual(compileStrings('equal', body), {
      positive: [0],
      used: [0],
      entries: [
        { value: '/a', match: [0], reject: [] },
        { value: '/b', match: [], reject: [0] },
      ],
    });
    assert.deepEqual(compileStrings('prefix', body).entries, [{ value: '/a', match: [0], reject: [] }]);
  });

  it('compares without the NUL at the end', () => {
    assert.deepEqual(compileStrings('equal', `matchArgs: [${fileFilter('Equal', '"/a\\0"')}]`).entries, [
      { value: '/a', match: [0], reject: [] },
    ]);
  });
});
