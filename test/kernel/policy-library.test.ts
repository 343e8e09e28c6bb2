/** Each policy of the package: its test, which the package has as well, passes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { policyLibrary } from '../../lib/index.js';
import { NIGHTLY } from '../nightly.js';
import { checkout, kernel } from './support.js';

// It takes about a minute, so each commit only has the checks of test/unit/policy/library.test.ts.
if (NIGHTLY && kernel === '6.12')
  describe('policies of the package', () => {
    before(() => mkdirSync('/mnt', { recursive: true }));

    for (const { name } of policyLibrary()) {
      it(`polytrace:${name}`, () => {
        const command = [join(checkout, 'dist/cli/main.js'), 'test', `polytrace:${name}`];
        const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
        assert.equal(status, 0, stdout + stderr);
        assert.match(stdout, /^2 scenarios: 2 passed, 0 failed, 0 skipped$/m);
      });
    }
  });
