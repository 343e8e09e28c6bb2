// Runs the commands of the tests of the package, and gives a folder the packages that they need.
import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { npmModules } from '../../scripts/npm-modules.mjs';

/** Returns the output of a program. The message of an error has all that it printed. */
export const runCommand = (cwd, program, ...args) => {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')}:\n${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`, {
      cause: error,
    });
  }
};

/** Copies packages of the npm registry, and what they need, into node_modules of the folder. */
export function addModules(folder, ...specifiers) {
  cpSync(npmModules(...specifiers), join(folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
}
