// Runs bench/workload.c in the virtual machine.
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';

/** Copies the programs from the host's folder, so that they run from the guest's root and not through virtiofs. */
export function installWorkload(folder: string): void {
  for (const name of ['workload', 'true']) copyFileSync(`${folder}/${name}`, `/srv/${name}`);
}

export const RUNS = 3;
/** Operations of one kind in one run, including the first ones. bench/workload.c has the same number. */
export const CALLS = 16 * 300;

export type Step = readonly [name: string, operation: string, argument: string];

/**
 * Returns the instructions of each step: the minimum of three runs, because disturbances only add instructions. The
 * workload runs under the command of `wrapper`.
 */
export function minimumOfThree(workload: readonly Step[], wrapper: readonly string[] = []): Record<string, number> {
  const minimum: Record<string, number> = {};
  for (let run = 0; run < RUNS; run++) {
    const [command = '', ...args] = [...wrapper, '/srv/workload', ...workload.flat()];
    const output = execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for (const line of output.trim().split('\n')) {
      const [name = '', count] = line.split(' ');
      minimum[name] = Math.min(minimum[name] ?? Infinity, Number(count));
    }
  }
  return minimum;
}

export function requireValue<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}
