/**
 * Compares explanations and compiled policies with golden files. UPDATE_GOLDEN=1 rewrites the files.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainPolicy, formatExplanation } from '../../../lib/policy/index.js';
import type { KernelInfo } from '../../../types/kernel.js';
import { fakeKernel } from './fake-kernel.js';
import { kprobeYaml, policyYaml, selectorsYaml } from './marked-policies.js';
import { ROOT } from '../../project.js';

const golden = join(__dirname, 'golden');

function compareGolden(path: string, found: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, found);
  assert.ok(existsSync(path), `${path} is missing: UPDATE_GOLDEN=1 writes it`);
  assert.equal(found, readFileSync(path, 'utf8'), `${path} differs: UPDATE_GOLDEN=1 rewrites it`);
}

const formatJson = (value: unknown): string =>
  `${JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner), 2)}\n`;

describe('policy: explanations', () => {
  for (const [name, path] of [
    ['file-monitoring', join(ROOT, 'policies/file-monitoring.yaml')],
    ['whole-language', join(golden, 'whole-language.yaml')],
    ['every-filter', join(golden, 'every-filter.yaml')],
    ['marks-and-counts', join(golden, 'marks-and-counts.yaml')],
  ] as const) {
    it(`${name} as text and as data`, () => {
      const text = readFileSync(path, 'utf8');
      const explanation = explainPolicy(text, { file: `${name}.yaml` });
      compareGolden(join(golden, `${name}.txt`), formatExplanation(explanation));
      compareGolden(join(golden, `${name}.golden`), formatJson(explanation));
      assert.deepEqual(explainPolicy(text, { file: `${name}.yaml` }), explanation);
    });
  }

  it('includes information from the kernel', () => {
    const explainAttach = (yaml: string): string | undefined =>
      explainPolicy(yaml, { kernel: fakeKernel }).hooks[0]?.attach;
    assert.match(explainAttach(kprobeYaml('call: sys_openat')) ?? '', /__x64_sys_openat of Linux test$/);
    assert.match(explainAttach(kprobeYaml('call: gone\nsyscall: false')) ?? '', /Linux test has no gone$/);
    assert.doesNotMatch(
      explainAttach(policyYaml('lists: [{name: a, values: [b, c]}]\nkprobes: [{call: "list:a"}]')) ?? '',
      /Linux test/,
    );
  });

  it('reports how many functions a generated list has on this kernel', () => {
    const explainTarget = (list: string, kernel?: KernelInfo): string | undefined =>
      explainPolicy(policyYaml(`lists: [{name: a, ${list}}]\nkprobes: [{call: "list:a"}]`), kernel && { kernel })
        .hooks[0]?.target;
    const pattern = 'type: generated_ftrace, pattern: "^security_"';
    assert.equal(explainTarget(pattern), 'functions like ^security_ (list:a)');
    assert.equal(explainTarget(pattern, fakeKernel), 'functions like ^security_ (list:a: 5 of Linux test)');
    if (process.arch === 'arm64') return; // The kernel of the tests is for x64.
    assert.equal(explainTarget('type: generated_syscalls', fakeKernel), 'every system call (list:a: 3 of Linux test)');
  });

  it('lists cheap tests first, and counts tests', () => {
    const [hook] = explainPolicy(
      selectorsYaml(`
        matchArgs:
        - {index: 0, operator: Equal, values: [/a]}
        - {index: 1, operator: Equal, values: ["4"]}
        matchBinaries: [{operator: In, values: [/b]}]
        matchReturnArgs: [{index: 0, operator: Equal, values: ["0"]}]
        matchPIDs: [{operator: In, values: [1]}]`),
    ).hooks;
    assert.deepEqual(
      hook?.selectors[0]?.conditions.map((condition) => condition.split(' ')[0]),
      ['argument', 'process', 'binary', 'argument', 'return'],
    );
    assert.deepEqual(hook?.cost, {
      comparisons: 3,
      binaryTests: 1,
      lookups: 1,
      pathWalks: 1,
      textScans: 0,
      expressionSteps: 0,
      readForEvent: 0,
      tableEntries: 1,
      tableBytes: 88,
    });
  });
});
