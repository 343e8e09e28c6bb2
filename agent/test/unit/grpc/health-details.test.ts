/** The line of `polytrace status`. */
import assert from 'node:assert/strict';
import { formatHealth } from '../../../lib/grpc/health-details.js';

describe('the state of the agent in one line', () => {
  for (const [failedCount, unreadableCount, optimize, cachePaths, line] of [
    [0, 0, true, true, 'running'],
    [1, 0, true, true, 'degraded; 1 policy has errors'],
    [2, 0, false, true, 'degraded; 2 policies have errors; programs are not optimized'],
    [0, 1, true, true, 'degraded; 1 path of policies cannot be read'],
    [1, 2, true, true, 'degraded; 1 policy has errors; 2 paths of policies cannot be read'],
    [0, 0, true, false, 'running; paths are not cached'],
    [0, 0, false, false, 'running; programs are not optimized; paths are not cached'],
  ] as const) {
    it(line, () => assert.equal(formatHealth({ failedCount, unreadableCount }, { optimize, cachePaths }), line));
  }
});
