// Runs in the virtual machine: the workload beside each tracer in turn. guest.mts FOLDER CONFIGURATIONS [STEP,...]; the configurations
// are JSON, and all steps of the workload run if none is named. Writes FOLDER/counts.json. Each tracer is stopped (SIGSTOP) while the workload runs, so that only the kernel's part is counted.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { installWorkload, leastOfThree, required, type Step } from './guest-workload.mjs';
import type { Configuration, Counted } from './kernel.mjs';

const [folder = '', json = '[]', names] = process.argv.slice(2);
const files = { shallow: '/srv/file', deep: '/srv/2/3/4/5/6/file', write: '/srv/written', renamed: '/srv/renamed' };
const steps: readonly Step[] = [
  ['pread-2', 'pread', files.shallow],
  ['pread-7', 'pread', files.deep],
  ['pread-match', 'pread', '/etc/shadow'],
  ['pwrite-2', 'pwrite', files.write],
  ['pread-first', 'pread-first', '/srv/many'],
  ['pread-renames', 'pread-renames', files.renamed],
  ['open-close', 'open-close', files.shallow],
  ['connect', 'connect', '127.0.0.1'],
  ['exec', 'exec', '/srv/true'],
];
const workload = names === undefined ? steps : steps.filter(([name]) => names.split(',').includes(name));

/** Instructions that the kernel needs to call an empty program from a raw tracepoint. */
const CALL = 136;

mkdirSync('/srv/2/3/4/5/6', { recursive: true });
for (const path of Object.values(files)) writeFileSync(path, 'sixteen bytes, ok');
installWorkload(folder);

/** The members of `bpftool prog show -j` that are read here. */
type ProgramStatistics = Partial<Record<'run_time_ns' | 'run_cnt', number>> & { readonly name?: string };

/** Instructions of all programs so far, by the name of the program. */
function instructionsByProgram(): ReadonlyMap<string, number> {
  const output = execFileSync('/usr/sbin/bpftool', ['prog', 'show', '-j'], { encoding: 'utf8' });
  const sums = new Map<string, number>();
  for (const { name = '', run_time_ns = 0, run_cnt = 0 } of JSON.parse(output) as readonly ProgramStatistics[])
    sums.set(name, (sums.get(name) ?? 0) + run_time_ns + CALL * run_cnt);
  return sums;
}

/**
 * Instructions that each program takes for one vfork, exec and exit, as the kernel itself counts them (bpf_stats_enabled). The
 * difference of two runs would say nothing: an exec allocates pages, and varies by more than the programs take.
 */
function countExec(): Readonly<Record<string, number>> {
  const execs = 1000;
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
  const before = instructionsByProgram();
  // an exec reports the working folder: the price grows with its depth
  execFileSync('/srv/workload', ['/srv/true', String(execs)], { cwd: '/srv' });
  const after = instructionsByProgram();
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '0');
  const taken = [...after].map(([name, sum]): [string, number] => [name, (sum - (before.get(name) ?? 0)) / execs]);
  return Object.fromEntries(taken.filter(([, instructions]) => instructions > 0));
}

async function startTracer({ attach = '', policy, forgetful }: Configuration): Promise<ChildProcess> {
  // a hook needs addresses of the kernel to remember paths
  writeFileSync('/proc/sys/kernel/kptr_restrict', forgetful === true ? '2' : '1');
  const args = ['--import', 'tsx', 'bench/tracer.mts', attach, ...(policy === undefined ? [] : [policy])];
  const tracer = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface(required(tracer.stderr ?? undefined, 'the stderr of the tracer'));
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      console.error(`  ${line}`);
      if (line.startsWith('ready')) resolve();
    });
    tracer.once('exit', (code) => reject(new Error(`the tracer ended with status ${code}`)));
  });
  return tracer;
}

async function measure(configuration: Configuration): Promise<Counted> {
  const { name, attach } = configuration;
  console.error(name);
  if (attach === undefined) return { name, counts: leastOfThree(workload) };
  const tracer = await startTracer(configuration);
  tracer.kill('SIGSTOP');
  const counts = leastOfThree(workload);
  const programs = countExec();
  const ended = once(tracer, 'exit');
  tracer.kill('SIGKILL');
  await ended;
  return { name, counts, programs };
}

const results: Counted[] = [];
for (const configuration of JSON.parse(json) as readonly Configuration[]) results.push(await measure(configuration));
writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
