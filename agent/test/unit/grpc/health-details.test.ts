/** The line of `polytrace status`. */
import assert from 'node:assert/strict';
import { formatHealth } from '../../../lib/grpc/health-details.js';

describe('the state of the agent in one line', () => {
  for (const [failed, optimize, cachePaths, line] of [
    [0, true, true, 'running'],
    [1, true, true, 'running; 1 policy has errors'],
    [2, false, true, 'running; 2 policies have errors; programs are not optimized'],
    [0, true, false, 'running; paths are not cached'],
    [0, false, false, 'running; programs are not optimized; paths are not cached'],
  ] as const) {
    it(line, () => assert.equal(formatHealth(failed, { optimize, cachePaths }), line));
  }
});
