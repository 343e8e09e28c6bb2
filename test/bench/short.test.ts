/** The short benchmark as a test: events in user space, starting and loading cost about as much as plain code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../project.js';
import { retry } from '../retry.js';

/**
 * In one of about twenty processes, V8 allocates objects of events in its old generation, and every reading takes twice
 * as long. A regression is found in each process.
 */
const PROCESSES = 3;

/** Runs in a separate process, because mocha's other work would be measured as well. */
function runBenchmark(): void {
  const args = ['--import', 'tsx', 'bench/run.mts', '--short'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  console.log(stdout.replaceAll(/^/gm, '      '));
  assert.equal(status, 0, stderr);
}

describe('short benchmark', function () {
  // It takes twenty seconds on an idle machine.
  this.timeout(600_000);

  it('starting, reading and loading stay below their limits, relative to Node.js and to plain code', async () => {
    await retry(runBenchmark, { tries: PROCESSES, ms: 0 });
  });
});
