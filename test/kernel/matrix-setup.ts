/** Prepares the guest for the actions of the matrix: files, an address, a module. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDED } from './matrix-network.js';
import { batchInput, type NamedAction } from './matrix-policy.js';
import { MODULE_FILE } from './matrix-objects.js';
import { PROGRAMS, ROOT } from './matrix-strings.js';
import { checkout, prepareWorkload, kernel, WORKLOAD } from './support.js';

/** The workload program, next to the files of the matrix. Other programs are links to it. */
export const PROGRAM = join(ROOT, 'workload');

export function prepareMatrix(): void {
  prepareWorkload();
  if (existsSync(PROGRAM)) return;
  mkdirSync(PROGRAMS, { recursive: true });
  copyFileSync(WORKLOAD, PROGRAM);
  execFileSync('ip', ['address', 'add', `${ADDED}/128`, 'dev', 'lo']);
  unpackModule();
}

/** Unpacks the module of the running kernel, from Debian's package on the machine or from test/vm/kernels.mjs. */
function unpackModule(): void {
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  const installed = `/lib/modules/${release}/kernel/drivers/net/dummy.ko`;
  const kept = join(checkout, '.cache/kernels', kernel, 'dummy.ko');
  if (existsSync(`${installed}.xz`)) writeFileSync(MODULE_FILE, execFileSync('xz', ['-dc', `${installed}.xz`]));
  else copyFileSync(existsSync(installed) ? installed : kept, MODULE_FILE);
}

/** Performs all actions one after the other, each in a process of its own. */
export function runActions(actions: readonly NamedAction[]): void {
  const { status, stderr } = spawnSync(PROGRAM, ['batch'], { input: batchInput(actions), encoding: 'utf8' });
  if (status !== 0) throw new Error(`the workload failed: ${stderr}`);
}
