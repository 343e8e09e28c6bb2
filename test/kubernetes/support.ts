/** Shared by the tests in a cluster. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { clusterObstacle } from './cluster.js';

export const ROOT = join(__dirname, '../..');

/** Skips the tests if a cluster cannot run here; with REQUIRE_ALL=1, fails. */
export function needsCluster(this: Mocha.Context): void {
  const obstacle = clusterObstacle();
  if (obstacle === undefined) return;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(`these tests need a cluster: ${obstacle}`);
  this.skip();
}

/** Mounts tracefs. Tracepoints that are not raw need it, and not every machine mounts it. */
export function needsTracefs(): void {
  if (existsSync('/sys/kernel/tracing/events')) return;
  execFileSync('mount', ['-t', 'tracefs', 'tracefs', '/sys/kernel/tracing']);
}
