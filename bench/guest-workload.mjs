// In the virtual machine: runs bench/workload.c.
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';

/** Copies the programs from the folder of the host: they run from the root itself, not through virtiofs. */
export function installWorkload(folder) {
  for (const name of ['workload', 'true']) copyFileSync(`${folder}/${name}`, `/srv/${name}`);
}

export const RUNS = 3;
/** Operations of one kind in one run, the first ones included; as bench/workload.c has it. */
export const CALLS = 16 * 300;

/** {name: instructions} of [name, operation, argument] each: the least of three runs, since whatever disturbs a run only adds. */
export function leastOfThree(workload) {
  const least = {};
  for (let run = 0; run < RUNS; run++) {
    const output = execFileSync('/srv/workload', workload.flat(), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for (const line of output.trim().split('\n')) {
      const [name, count] = line.split(' ');
      least[name] = Math.min(least[name] ?? Infinity, Number(count));
    }
  }
  return least;
}
