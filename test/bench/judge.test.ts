/** The short benchmark repeats its measurement if a ratio is too high. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../project.js';

describe('the judge of the short benchmark', () => {
  /**
   * Returns the number of measurements, and the names that are too slow at the end. Each element of `results` is what one
   * measurement finds too slow; further measurements repeat the last one.
   */
  function judgeResults(...results: readonly (readonly string[])[]): unknown {
    const script = `
      import { judgeWithRetries } from './bench/judge.mts';
      const results = ${JSON.stringify(results)};
      let measured = 0;
      const measure = () => ({ rows: [], tooSlow: results[Math.min(measured++, results.length - 1)] });
      const { tooSlow } = await judgeWithRetries(measure);
      console.log(JSON.stringify([measured, tooSlow]));`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    assert.equal(stderr, '');
    return JSON.parse(stdout);
  }

  it('measures once if nothing is too slow, and repeats the measurement after a disturbance', () => {
    assert.deepEqual(judgeResults([]), [1, []]);
    assert.deepEqual(judgeResults(['slow'], []), [2, []]);
  });

  it('fails if every measurement is too slow', () => {
    assert.deepEqual(judgeResults(['slow']), [3, ['slow']]);
  });
});
