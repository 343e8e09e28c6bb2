/** Shared by the tests in a cluster. */
import { join } from 'node:path';
import { clusterObstacle } from './cluster.js';

export { needsTracefs } from '../native/requirements.js';

export const ROOT = join(__dirname, '../..');

/** Skips the tests if a cluster cannot run here; with REQUIRE_ALL=1, fails. */
export function needsCluster(this: Mocha.Context): void {
  const obstacle = clusterObstacle();
  if (obstacle === undefined) return;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(`these tests need a cluster: ${obstacle}`);
  this.skip();
}
