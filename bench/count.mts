// Runs a script of the benchmark in the virtual machine.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePrograms } from '../test/vm/compile-programs.mjs';
import { checkout, runInVm } from '../test/vm/vm.mjs';
import { attachOptions, operationNames, operations } from './cases.mjs';

function compileWorkload(folder: string): void {
  const cc = (...args: readonly string[]): void => {
    execFileSync('cc', ['-O2', '-static', '-Wall', '-Wextra', ...args], { stdio: 'inherit' });
  };
  cc('-o', join(folder, 'workload'), join(checkout, 'bench/workload.c'));
  cc('-nostdlib', '-o', join(folder, 'true'), join(checkout, 'bench/true.c'));
}

/** Compiles the empty BPF programs with the clang of the build. */
function compileEmptyPrograms(folder: string): void {
  const cache = readFileSync(join(checkout, 'build/cmake/CMakeCache.txt'), 'utf8');
  const clang = /^POLYTRACE_CLANG:\w+=(.*)$/m.exec(cache)?.[1];
  if (clang === undefined) throw new Error('build/cmake/CMakeCache.txt names no clang: run `npm run build:native`');
  for (const attach of attachOptions) {
    for (const operation of operationNames) {
      const target = join(folder, `empty-${attach}-${operation}.o`);
      const define = `-DHOOK="${attach}/${operations[operation].symbol}"`;
      const args = ['-target', 'bpf', '-O2', '-Wall', '-Wextra', define, '-c', '-o', target];
      execFileSync(clang, [...args, join(checkout, 'bench/empty.bpf.c')], { stdio: 'inherit' });
    }
  }
}

interface Guest {
  /** True if the clock advances one nanosecond for each instruction. Otherwise, it is the real time. */
  readonly icount: boolean;
  /** More kernel parameters. */
  readonly append?: string;
  /** It uses the programs of kernel tests. */
  readonly withPrograms?: boolean;
}

/** Runs bench/SCRIPT with its arguments. Returns the content of the file `result` in the shared folder. */
export async function runInGuest(
  kernel: string,
  script: string,
  result: string,
  { icount, append = '', withPrograms = false }: Guest,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-bench-'));
  try {
    compileWorkload(folder);
    compileEmptyPrograms(folder);
    if (withPrograms) await compilePrograms(join(folder, 'programs'));
    const { status } = await runInVm({
      kernel,
      folder,
      script: `node --import tsx bench/${script}`,
      icount,
      append,
      // the whole library is loaded under emulation
      timeoutMs: 5_400_000,
      stdout: process.stderr,
    });
    if (status !== 0) throw new Error(`the benchmark failed in the virtual machine, status ${status}`);
    return readFileSync(join(folder, result), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a script while the clock counts instructions. */
export function countInVm(kernel: string, script: string, result: string, append = ''): Promise<string> {
  return runInGuest(kernel, script, result, { icount: true, append });
}
