/** The program in C is the bound of JSON lines only if it writes the same bytes from the same records. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../project.js';

const SCRIPT = `
  import { CProgram } from './bench/bound.mts';
  import { BatchIterator, toJson } from './bench/dist.mts';
  import { REALISTIC_RECORDS } from './bench/realistic.mts';
  import { openHub } from './bench/stream.mts';
  const program = new CProgram();
  const expected = program.readLines().split('\\n');
  program.remove();
  let number = 0;
  for await (const batch of new BatchIterator(openHub('realistic', REALISTIC_RECORDS).addConsumer({}))) {
    for (const event of batch) {
      const line = expected[number++];
      if (toJson(event) !== line) throw new Error('line ' + number + ': ' + toJson(event) + ' and ' + line);
    }
    if (number === REALISTIC_RECORDS) break;
  }
  console.log(number, new Set(expected).size);`;

describe('the realistic stream of the benchmark', function () {
  this.timeout(120_000);

  it('becomes the same JSON lines in C', () => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', SCRIPT];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    // no two lines are equal, and the last one is followed by an empty string
    assert.equal(stdout, '65536 65537\n', stderr);
  });
});
