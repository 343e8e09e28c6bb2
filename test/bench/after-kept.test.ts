/** A program that keeps events for some time does not make later events dearer. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../project.js';
import { retry } from '../retry.js';

/** The limit of the row 'type, binary and path read' of the short benchmark. */
const AT_MOST = 5.5;
/** In one of about twenty processes, V8 allocates other objects in its old generation as well. */
const PROCESSES = 3;

function checkRatio(): void {
  const args = ['--import', 'tsx', 'bench/after-kept.mts'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.ok(Number(stdout) <= AT_MOST, stdout);
}

describe('events after others were kept', function () {
  this.timeout(300_000);

  it('cost as much as in a program that has kept none', async () => {
    await retry(checkRatio, { tries: PROCESSES, ms: 0 });
  });
});
