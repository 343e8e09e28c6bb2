// Boots the virtual machine, in which the clock advances one nanosecond an instruction, for one of the benchmark's scripts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout, runInVm } from '../test/vm/vm.mjs';
import { operations } from './cases.mjs';

function compileWorkload(folder) {
  const cc = (...args) => execFileSync('cc', ['-O2', '-static', '-Wall', '-Wextra', ...args], { stdio: 'inherit' });
  cc('-o', join(folder, 'workload'), join(checkout, 'bench/workload.c'));
  cc('-nostdlib', '-o', join(folder, 'true'), join(checkout, 'bench/true.c'));
}

/** With the compiler that the build has found. */
function compileEmptyPrograms(folder) {
  const cache = readFileSync(join(checkout, 'build/cmake/CMakeCache.txt'), 'utf8');
  const clang = /^POLYTRACE_CLANG:\w+=(.*)$/m.exec(cache)[1];
  for (const attach of ['fentry', 'kprobe']) {
    for (const [operation, { symbol }] of Object.entries(operations)) {
      const target = join(folder, `empty-${attach}-${operation}.o`);
      const args = ['-target', 'bpf', '-O2', '-Wall', '-Wextra', `-DHOOK="${attach}/${symbol}"`, '-c', '-o', target];
      execFileSync(clang, [...args, join(checkout, 'bench/empty.bpf.c')], { stdio: 'inherit' });
    }
  }
}

/** Runs bench/SCRIPT with node and returns what it has written into the JSON file `result` of its folder. */
export async function countInVm(kernel, script, result) {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-bench-'));
  try {
    compileWorkload(folder);
    compileEmptyPrograms(folder);
    const { status } = await runInVm({
      kernel,
      folder,
      script: `node bench/${script}`,
      icount: true,
      timeoutMs: 1_200_000,
      stdout: process.stderr,
    });
    if (status !== 0) throw new Error(`the benchmark failed in the virtual machine, status ${status}`);
    return JSON.parse(readFileSync(join(folder, result), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
