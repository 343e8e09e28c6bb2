/** The short benchmark as a test: what user space does with an event, starting and loading stay near what plain code needs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../project.js';

describe('short benchmark', function () {
  // twenty seconds on a machine that does nothing else
  this.timeout(600_000);

  it('starting costs at most so many times as much as Node.js, and each reading and loading as plain code', () => {
    // a process of its own: mocha's other work would be measured as well
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/run.mts', '--short'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    console.log(stdout.replaceAll(/^/gm, '      '));
    assert.equal(status, 0, stderr);
  });
});
