/** Hostile policies are refused in limited time. The limits are the limits of the BPF programs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { validatePolicy } from '../../../lib/policy/index.js';
import * as limits from '../../../lib/policy/language/limits.js';

const MIB = 1024 * 1024;

const hostile: readonly (readonly [string, string, string])[] = [
  ['more than 1 MiB', ' '.repeat(MIB + 1), 'FILE_TOO_LARGE'],
  ['half a million brackets', '['.repeat(500_000), 'YAML_TOO_DEEP'],
  ['half a million braces', '{a: '.repeat(250_000), 'YAML_TOO_DEEP'],
  ['half a million nested list items', '- '.repeat(500_000), 'YAML_TOO_DEEP'],
  ['nested keys', '? '.repeat(500_000), 'YAML_TOO_DEEP'],
  ['a million lines', '#\n'.repeat(MIB / 2), 'FILE_TOO_LARGE'],
  ['a million anchors', '- &a x\n'.repeat(MIB / 8), 'FILE_TOO_LARGE'],
  ['a million documents', '---\n'.repeat(MIB / 4), 'YAML_MULTIPLE_DOCUMENTS'],
  [
    'a billion laughs',
    `a: &a [x, x]\n${'bcdefghij'
      .split('')
      .map((key, i) => `${key}: &${key} [*${'abcdefghij'[i]}, *${'abcdefghij'[i]}]`)
      .join('\n')}\n`,
    'YAML_ALIAS',
  ],
];

describe('policy: bounds', () => {
  for (const [name, text, code] of hostile) {
    it(`refuses ${name}`, function () {
      this.timeout(10_000);
      const begin = process.hrtime.bigint();
      const found = validatePolicy(text);
      const milliseconds = Number((process.hrtime.bigint() - begin) / 1_000_000n);
      assert.ok(
        found.some((d) => d.code === code),
        found
          .slice(0, 3)
          .map((d) => d.code)
          .join(),
      );
      assert.ok(milliseconds < 5000, `took ${milliseconds} ms`);
    });
  }

  it('names the limit of tokens', () => {
    const yamlList = (values: number): string => `a: [${'b,'.repeat(values)}]`;
    const limitMessage = (text: string): unknown =>
      validatePolicy(text).find(({ code }) => code === 'FILE_TOO_LARGE')?.message;
    assert.equal(limitMessage(yamlList(limits.YAML_TOKENS_MAX / 4)), undefined);
    assert.equal(limitMessage(yamlList(limits.YAML_TOKENS_MAX / 2)), 'the text has more than 64000 words and signs');
  });

  it('reports that there are more mistakes than it lists', () => {
    const found = validatePolicy(`{${Array.from({ length: 3000 }, (_, i) => `k${i}: 1`).join(', ')}}`);
    assert.equal(found.length, limits.DIAGNOSTICS_MAX);
    assert.ok(found.some((d) => d.code === 'TOO_MANY_MISTAKES'));
  });

  it('finds a repeated key among many in a short time', () => {
    const keys = Array.from({ length: 8000 }, (_, i) => `  k${i}: "1"`).join('\n');
    const found = validatePolicy(
      `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: a\n  labels:\n${keys.replaceAll('\n', '\n  ').replace(/^/, '  ')}\n    k7: "2"\nspec: {loader: true}\n`,
    );
    assert.deepEqual(
      found.map((d) => d.code),
      ['YAML_DUPLICATE_KEY'],
    );
  });

  it('refuses macros that multiply filters, in a short time', function () {
    this.timeout(10_000);
    const filters = Array.from(
      { length: 2000 },
      (_, i) => `      - {index: 0, operator: NotPrefix, values: ["/p${i}"]}`,
    );
    const macros = `  selectorsMacros:\n    m:\n      matchArgs:\n${filters.join('\n')}\n`;
    const hook = `  kprobes:\n  - call: f\n    args: [{index: 0, type: string}]\n    selectors:\n${'    - macros: [m]\n'.repeat(64)}`;
    const begin = Date.now();
    const found = validatePolicy(
      `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: a}\nspec:\n${macros}${hook}`,
    );
    assert.ok(Date.now() - begin < 5000);
    assert.equal(found.filter((d) => d.code === 'LIMIT_FILTERS').length, 64);
  });

  it('has the limits of bpf/abi.h', () => {
    const header = readFileSync(new URL('../../../bpf/abi.h', `file://${__filename}`), 'utf8');
    const shared = [
      'FILTER_STRING_MAX',
      'HOOK_ARGS_MAX',
      'HOOK_PARAM_MAX',
      'HOOK_SELECTORS_MAX',
      'RESOLVE_STEPS_MAX',
      'INT_TESTS_MAX',
      'INT_GROUPS_MAX',
      'SUBSTRING_PASSES_MAX',
      'AUTOMATON_STATES_MAX',
      'PROCESS_TESTS_MAX',
      'PROCESS_SETS_MAX',
      'CHANGE_TESTS_MAX',
      'BINARY_PATH_MAX',
      'HOOKS_MAX',
    ] as const;
    for (const name of shared) {
      const value = new RegExp(`\\b${name} = (\\d+)`).exec(header)?.[1];
      assert.equal(limits[name], Number(value), name);
    }
    const first = Number(/HOOK_FIRST_POLICY = (\d+)/.exec(header)?.[1]);
    assert.equal(limits.POLICY_HOOKS_MAX, limits.HOOKS_MAX - first);
    assert.equal(limits.EQUAL_BYTES_MAX, Number(/PATH_BYTES_MAX = (\d+)/.exec(header)?.[1]));
  });
});
