// Compiles tests on this machine for a guest, where it takes ten times as long.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './vm.mjs';

/** Fills tsx's cache with a dry run of mocha. The cache is in the folder `compiled` of `folder`, and the guest copies it to /tmp. */
export function compileTests(mocha, folder) {
  const cache = join(folder, 'compiled');
  mkdirSync(cache);
  execFileSync(process.execPath, [...mocha, '--dry-run', '--reporter', 'dot'], {
    cwd: checkout,
    env: { ...process.env, TMPDIR: cache },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
