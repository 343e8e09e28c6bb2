/** What the actions of the matrix need in the guest: files, an address, a module. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDED } from './matrix-network.js';
import { batch, type NamedAction } from './matrix-policy.js';
import { MODULE_FILE } from './matrix-objects.js';
import { PROGRAMS, ROOT } from './matrix-texts.js';
import { checkout, compileWorkload, kernel, WORKLOAD } from './support.js';

/** Beside the files of the matrix: programs are made links to it. */
export const PROGRAM = join(ROOT, 'workload');

export function prepareMatrix(): void {
  compileWorkload();
  if (existsSync(PROGRAM)) return;
  mkdirSync(PROGRAMS, { recursive: true });
  copyFileSync(WORKLOAD, PROGRAM);
  execFileSync('ip', ['address', 'add', `${ADDED}/128`, 'dev', 'lo']);
  unpackModule();
}

/** Of the kernel that runs: Debian's package is on the machine, or test/vm/kernels.mjs kept the module. */
function unpackModule(): void {
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  const installed = `/lib/modules/${release}/kernel/drivers/net/dummy.ko`;
  const kept = join(checkout, '.cache/kernels', kernel, 'dummy.ko');
  if (existsSync(`${installed}.xz`)) writeFileSync(MODULE_FILE, execFileSync('xz', ['-dc', `${installed}.xz`]));
  else copyFileSync(existsSync(installed) ? installed : kept, MODULE_FILE);
}

/** Does all of them, one after the other, each in a process of its own. */
export function carryOut(actions: readonly NamedAction[]): void {
  const { status, stderr } = spawnSync(PROGRAM, ['batch'], { input: batch(actions), encoding: 'utf8' });
  if (status !== 0) throw new Error(`the workload failed: ${stderr}`);
}
