/** The short benchmark as a test: events in user space, starting and loading cost about as much as plain code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../project.js';

describe('short benchmark', function () {
  // It takes twenty seconds on an idle machine.
  this.timeout(600_000);

  it('starting, reading and loading stay below their limits, relative to Node.js and to plain code', () => {
    // A separate process, because mocha's other work would be measured as well.
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/run.mts', '--short'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    console.log(stdout.replaceAll(/^/gm, '      '));
    assert.equal(status, 0, stderr);
  });
});
