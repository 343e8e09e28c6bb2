// Compiles the C programs of kernel tests on this machine for a guest, where it takes a hundred times as long.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkout } from './vm.mjs';

/** Compiles what test/kernel/programs.json lists: the arguments of the compiler, with sources as paths in the checkout. */
export async function compilePrograms(folder) {
  const programs = JSON.parse(readFileSync(join(checkout, 'test/kernel/programs.json'), 'utf8'));
  mkdirSync(folder);
  const compile = ([name, args]) => promisify(execFile)('cc', [...args, '-o', join(folder, name)], { cwd: checkout });
  await Promise.all(Object.entries(programs).map(compile));
}
