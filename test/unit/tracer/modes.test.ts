/** The mode of a policy at load, and whether it can change later. */
import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../lib/policy/index.js';
import { checkModeCanChange, loadedMode } from '../../../lib/tracer/modes.js';
import type { CompiledPolicy } from '../../../lib/compiled/compiled-policy.js';
import type { PolicyMode } from '../../../types/index.js';

const KILLS = '{ matchActions: [{ action: Sigkill }] }';
const ASKS = '{ matchActions: [{ action: GetUrl, argUrl: "http://localhost/" }] }';
const REPORTS = '{ matchActions: [{ action: Post }] }';

function compile(own: string | undefined, selector = KILLS): CompiledPolicy {
  const options = own === undefined ? '' : `options: [{ name: policy-mode, value: ${own} }], `;
  const yaml = `{ apiVersion: cilium.io/v1alpha1, kind: TracingPolicy, metadata: { name: a }, spec: { ${options}kprobes: [{ call: f, selectors: [${selector}] }] } }`;
  return compilePolicy(parsePolicy(yaml));
}

function compileMode(own: string | undefined, mode: PolicyMode | undefined, selector?: string): string {
  return loadedMode(compile(own, selector), mode === undefined ? {} : { mode });
}

describe('modes of policies', () => {
  it('the loading program decides first, then the policy; the default is enforce', () => {
    assert.deepEqual(
      [
        compileMode(undefined, undefined),
        compileMode('monitor', undefined),
        compileMode('enforce', 'monitor'),
        compileMode('monitor', 'enforce'),
      ],
      ['enforce', 'monitor', 'monitor', 'enforce'],
    );
  });

  it('monitor_only cannot be changed, at load or later', () => {
    for (const mode of [undefined, 'enforce', 'monitor'] as const)
      assert.equal(compileMode('monitor_only', mode), 'monitor_only');
    const only = compile('monitor_only');
    const refusal = { code: 'POLICY_MONITOR_ONLY', message: /its option policy-mode is monitor_only/ };
    assert.throws(() => checkModeCanChange('a', 'monitor_only', only), refusal);
    checkModeCanChange('a', 'enforce', only);
    checkModeCanChange('a', 'monitor', only);
  });

  it('a policy that only reports is monitor_only', () => {
    for (const mode of [undefined, 'enforce', 'monitor'] as const) {
      assert.equal(compileMode(undefined, mode, REPORTS), 'monitor_only');
      assert.equal(compileMode(undefined, mode, ASKS), mode ?? 'enforce');
    }
    assert.equal(compileMode('enforce', 'enforce', REPORTS), 'monitor_only');
    const refusal = { code: 'POLICY_MONITOR_ONLY', message: /it only reports/, hint: /Sigkill/ };
    assert.throws(() => checkModeCanChange('a', 'monitor_only', compile(undefined, REPORTS)), refusal);
  });
});
