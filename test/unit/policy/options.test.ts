/** The options of a policy: valid values are accepted, others are refused, and `explain` describes the effect. */
import assert from 'node:assert/strict';
import { compilePolicy, explainPolicy, formatExplanation, validatePolicy } from '../../../lib/policy/index.js';
import { OPTION_NAMES, optionValues } from '../../../lib/policy/language/options.js';
import { checkMarked, policyYaml } from './marked-policies.js';

const policyWithOption = (name: string, value: string): string =>
  policyYaml(`options: [{name: ${name}, value: ${value}}]\nkprobes: [{call: f}]`);
const explainEffect = (name: string, value: string): string =>
  explainPolicy(policyWithOption(name, `"${value}"`)).options[0]?.effect ?? '';

/** Values of the options that take a number of entries. */
const COUNTS = ['1', '4096', '4294967295'];

describe('policy: options', () => {
  it('are the options of Tetragon, and one more', () => {
    assert.deepEqual(OPTION_NAMES, [
      'disable-kprobe-multi',
      'disable-uprobe-multi',
      'override-method',
      'policy-mode',
      'sleepable-preload-size',
      'trust-binary-paths',
      'uprobe-heap-size',
    ]);
  });

  for (const name of OPTION_NAMES) {
    it(`${name}: accepts only its values, which explain describes`, () => {
      for (const value of optionValues(name) ?? COUNTS) {
        checkMarked(policyWithOption(name, `"${value}"`));
        assert.deepEqual(explainPolicy(policyWithOption(name, `"${value}"`)).options, [
          { name, value, effect: explainEffect(name, value) },
        ]);
        assert.ok(explainEffect(name, value).length > 10);
      }
      for (const value of ['', 'yes', '0x10', '-1', '01', '4294967296', '1.5']) {
        checkMarked(policyWithOption(name, `⟦OPTION_INVALID⟧"${value}"`));
      }
    });
  }

  it('an unknown option is refused, with the known options and a suggestion', () => {
    for (const [name, hint] of [
      ['polcy-mode', /^did you mean "policy-mode"\? known: disable-kprobe-multi, .*uprobe-heap-size$/],
      ['rate', /^known: disable-kprobe-multi, .*uprobe-heap-size$/],
    ] as const) {
      checkMarked(policyWithOption(`⟦OPTION_UNKNOWN⟧${name}`, '"1"'));
      assert.match(validatePolicy(policyWithOption(name, '"1"'))[0]?.hint ?? '', hint);
    }
  });

  it('describe the behaviour of polytrace if they have no effect', () => {
    assert.match(
      explainEffect('override-method', 'fmod-ret'),
      /^no effect: polytrace takes fmod_ret where the kernel allows it/,
    );
    assert.match(explainEffect('sleepable-preload-size', '4096'), /^no effect: polytrace has no table/);
    assert.match(explainEffect('disable-kprobe-multi', '0'), /^no effect/);
    assert.equal(explainEffect('disable-kprobe-multi', 'True'), 'each function is attached separately');
    assert.match(explainEffect('policy-mode', 'monitor_only'), /cannot be changed$/);
  });

  it('the last option of a name counts, for explain and for the compiler', () => {
    const text = policyYaml(
      'options: [{name: policy-mode, value: enforce}, {name: policy-mode, value: monitor}]\nkprobes: [{call: f}]',
    );
    assert.equal(compilePolicy(text).mode, 'monitor');
    assert.deepEqual(
      explainPolicy(text).options.map(({ value }) => value),
      ['monitor'],
    );
    assert.match(
      formatExplanation(explainPolicy(text)),
      /\noption policy-mode: monitor\n {2}actions are reported, but/,
    );
  });
});
