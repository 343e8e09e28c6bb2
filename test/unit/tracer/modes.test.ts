/** The mode of a policy at load, and whether it can change later. */
import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../lib/policy/index.js';
import { checkModeCanChange, loadedMode } from '../../../lib/tracer/modes.js';
import type { PolicyMode } from '../../../types/index.js';

function compileMode(own: string | undefined, mode: PolicyMode | undefined): string {
  const options = own === undefined ? '' : `options: [{ name: policy-mode, value: ${own} }], `;
  const yaml = `{ apiVersion: cilium.io/v1alpha1, kind: TracingPolicy, metadata: { name: a }, spec: { ${options}kprobes: [{ call: f }] } }`;
  return loadedMode(compilePolicy(parsePolicy(yaml)), mode === undefined ? {} : { mode });
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
    assert.throws(() => checkModeCanChange('a', 'monitor_only'), { code: 'POLICY_MONITOR_ONLY' });
    checkModeCanChange('a', 'enforce');
    checkModeCanChange('a', 'monitor');
  });
});
