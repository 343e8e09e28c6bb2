/** Native tests need root and tracefs. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Skips the tests if tracing is not possible; with REQUIRE_ALL=1, fails. */
export function needsRoot(this: Mocha.Context): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error('these tests need root on Linux');
  this.skip();
}

/** Mounts tracefs. Tracepoints that are not raw need it, and not every machine mounts it. */
export function needsTracefs(): void {
  if (existsSync('/sys/kernel/tracing/events')) return;
  execFileSync('mount', ['-t', 'tracefs', 'tracefs', '/sys/kernel/tracing']);
}
