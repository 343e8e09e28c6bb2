/** Switches with a value on the command line. */
import assert from 'node:assert/strict';
import { expandSwitches } from '../../../lib/config/switches.js';

describe('switches of the agent with a value', () => {
  it('become the flag for it', () => {
    assert.deepEqual(expandSwitches(['--enable-k8s-api=true', '--cache-paths=false', '--enforcement']), [
      '--enable-k8s-api',
      '--no-cache-paths',
      '--enforcement',
    ]);
  });

  it('leave other flags and values as they are', () => {
    const args = [
      'install-crds',
      '--cluster-name=true',
      '--enforcement=yes',
      '--unknown=true',
      'true',
      '--log-level=info',
    ];
    assert.deepEqual(expandSwitches(args), args);
  });
});
