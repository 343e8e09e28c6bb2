/** Policies that are written in code are treated in the same way as those in YAML. */
import assert from 'node:assert/strict';
import { compilePolicy, definePolicy, parsePolicy } from '../../../lib/index.js';
import { definePolicy as defineAny, validatePolicy } from '../../../lib/policy/index.js';
import { formatDiagnostic, PolicyError } from '../../../lib/errors.js';
import { formatHookPosition, formatValuePosition } from '../../../lib/compiled/compiled-hook.js';
import type { definePolicy as Define } from '../../../types/policy.js';

const define = definePolicy as unknown as typeof Define;

describe('policy: definePolicy', () => {
  it('gives the same policy as YAML', () => {
    const policy = define({
      metadata: { name: 'in-code', labels: { team: 'a' } },
      spec: {
        kprobes: [
          {
            call: 'security_file_permission',
            syscall: false,
            return: true,
            args: [
              { index: 0, type: 'file' },
              { index: 1, type: 'int' },
            ],
            returnArg: { index: 0, type: 'int' },
            selectors: [
              {
                matchArgs: [
                  { index: 0, operator: 'Prefix', values: ['/etc'] },
                  { index: 1, operator: 'Equal', values: [4, '0x2', 1n] },
                ],
                matchPIDs: [{ operator: 'NotIn', values: [1] }],
                matchReturnArgs: [{ operator: 'LT', values: [0] }],
              },
            ],
          },
        ],
      },
    });
    assert.equal(policy.name, 'in-code');
    const [hook] = compilePolicy(policy).hooks;
    assert.deepEqual(
      hook?.args[1]?.ints[0]?.tests.map(({ value }) => value),
      [4n, 2n, 1n],
    );
    assert.deepEqual(hook?.args[0]?.texts.prefix?.entries, [{ value: '/etc', match: [0], reject: [] }]);
    assert.deepEqual(hook?.process[0]?.tests[0]?.value, 1n);
    assert.ok(Object.isFrozen(policy));
  });

  it('keeps strings unchanged, even if YAML would read them differently', () => {
    for (const text of [
      'yes',
      '0x10',
      '~',
      '1e3',
      'a: b',
      '- x',
      '"',
      "'",
      '\n',
      '\u0007',
      '*a',
      '&a',
      '!t',
      '# no',
      '  ',
      'ä🚀',
    ]) {
      const policy = define({
        metadata: { name: 'texts' },
        spec: { kprobes: [{ call: 'f', syscall: false, message: text }] },
      });
      assert.equal(compilePolicy(policy).hooks[0]?.message, text);
    }
  });

  it('uses the same object twice without an alias', () => {
    const values = ['/a'] as const;
    const filter = { operator: 'In', values } as const;
    const policy = define({
      metadata: { name: 'shared' },
      spec: {
        kprobes: [
          { call: 'f', selectors: [{ matchBinaries: [filter] }] },
          { call: 'g', selectors: [{ matchBinaries: [filter] }] },
        ],
      },
    });
    assert.equal(compilePolicy(policy).processSets.length, 1);
  });

  it('throws PolicyError with every mistake, and TypeError for anything that is not plain data', () => {
    assert.throws(
      () => defineAny({ metadata: {}, spec: { kprobes: [{ call: 7 }] } }),
      (error) =>
        error instanceof PolicyError && error.diagnostics.map((d) => d.code).join() === 'MISSING_FIELD,WRONG_TYPE',
    );
    const circle: { spec?: object } = {};
    circle.spec = circle;
    assert.throws(() => defineAny(circle), TypeError);
    assert.throws(() => defineAny({ spec: () => 1 }), TypeError);
    assert.throws(() => defineAny({ metadata: { name: 'a', labels: null }, spec: Symbol('x') }), TypeError);
  });

  it('names the policy and the path of each mistake in the object', () => {
    const kprobe = {
      call: 'f',
      args: [
        { index: 0, type: 'int' },
        { index: 1, type: 'strnig' },
      ],
      selectors: [{ matchArgs: [{ index: 0, operator: 'Equal', values: [1, 'x'] }], matchActoins: [] }],
    };
    const messages = (policy: object): string[] => {
      try {
        defineAny(policy);
        return [];
      } catch (error) {
        assert.ok(error instanceof PolicyError);
        return error.diagnostics.map((d) => formatDiagnostic(d).split(': ').slice(0, 2).join(': '));
      }
    };
    assert.deepEqual(messages({ metadata: { name: 'in-code' }, spec: { kprobes: [{ call: 'g' }, kprobe] } }), [
      '<policy in-code> spec.kprobes[1].args[1].type: error UNKNOWN_VALUE',
      '<policy in-code> spec.kprobes[1].selectors[0].matchArgs[0].values[1]: error VALUE_NOT_A_NUMBER',
      '<policy in-code> spec.kprobes[1].selectors[0].matchActoins: error UNKNOWN_FIELD',
    ]);
    assert.deepEqual(messages({ metadata: { name: 'a' }, spec: { kprobes: [{}] } }), ['<policy a> spec.kprobes[0]: error MISSING_FIELD']); // prettier-ignore
    assert.deepEqual(messages({ spec: {} }), ['<policy>: error MISSING_FIELD', '<policy> spec: warning POLICY_WITHOUT_HOOKS']); // prettier-ignore
    assert.deepEqual(messages({ metadata: { name: 'a', labels: { 'x/y': 7 } }, spec: { loader: true } }), ['<policy a> metadata.labels["x/y"]: error WRONG_TYPE']); // prettier-ignore
    assert.deepEqual(messages({ metadata: { name: 'a\nb' }, spec: { loader: true } }), ['<policy> metadata.name: error BAD_NAME']); // prettier-ignore
    const [diagnostic] = validatePolicy('a: b');
    assert.equal(diagnostic !== undefined && 'path' in diagnostic, false);
    assert.throws(
      () => defineAny({ spec: { kprobes: [{ call: () => 1 }] } }),
      /spec\.kprobes\[0\]\.call is a function/,
    );
  });

  it('gives errors of a kernel the path, too', () => {
    const [hook] = compilePolicy(define({ metadata: { name: 'a' }, spec: { kprobes: [{ call: 'f', args: [{ index: 0, type: 'int' }] }] } })).hooks; // prettier-ignore
    assert.ok(hook?.args[0]);
    assert.equal(formatHookPosition(hook), '<policy a> spec.kprobes[0].call');
    assert.equal(formatValuePosition(hook, hook.args[0]), '<policy a> spec.kprobes[0].args[0]');
  });

  it('refuses a policy that it did not make', () => {
    assert.throws(() => compilePolicy({ name: 'forged', file: '' }), TypeError);
    assert.throws(() => parsePolicy('a: ['), PolicyError);
  });

  it('omits undefined and keeps null visible', () => {
    assert.equal(
      defineAny({ metadata: { name: 'a', namespace: undefined }, spec: { kprobes: [{ call: 'f' }] } }).name,
      'a',
    );
    assert.throws(() => defineAny({ metadata: { name: null }, spec: { kprobes: [{ call: 'f' }] } }), PolicyError);
  });
});
