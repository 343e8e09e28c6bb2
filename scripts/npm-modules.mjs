// Tools of the npm registry that only releases and the tests of the package use.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder } from './prebuilds/toolchain.mjs';

/** Returns the folder node_modules with packages of the npm registry. It is kept for the next time. */
export function npmModules(...specifiers) {
  const name = specifiers[0].replaceAll(/[@/]+/g, '-').replace(/^-/, '');
  const folder = cachedFolder(`modules-${name}`, specifiers, (made) => {
    writeFileSync(join(made, 'package.json'), '{}');
    const options = ['--no-audit', '--no-fund', '--loglevel=error', '--no-save', '--ignore-scripts'];
    execFileSync('npm', ['install', ...options, ...specifiers], { cwd: made, stdio: ['ignore', 'ignore', 'inherit'] });
  });
  return join(folder, 'node_modules');
}
