// In the virtual machine: runs bench/workload.c.
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';

/** Copies the programs from the host's folder, so that they run from the guest's root and not through virtiofs. */
export function installWorkload(folder: string): void {
  for (const name of ['workload', 'true']) copyFileSync(`${folder}/${name}`, `/srv/${name}`);
}

export const RUNS = 3;
/** Operations of one kind in one run, the first ones included. The same number is in bench/workload.c. */
export const CALLS = 16 * 300;

export type Step = readonly [name: string, operation: string, argument: string];

/** Instructions by the step's name: the least of three runs, since every disturbance only adds. */
export function leastOfThree(workload: readonly Step[]): Record<string, number> {
  const least: Record<string, number> = {};
  for (let run = 0; run < RUNS; run++) {
    const output = execFileSync('/srv/workload', workload.flat(), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for (const line of output.trim().split('\n')) {
      const [name = '', count] = line.split(' ');
      least[name] = Math.min(least[name] ?? Infinity, Number(count));
    }
  }
  return least;
}

export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}
