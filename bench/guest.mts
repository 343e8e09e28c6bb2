// Runs in the virtual machine: the workload beside each tracer in turn. guest.mts FOLDER CONFIGURATIONS, which are JSON; writes
// FOLDER/counts.json. Each tracer is stopped (SIGSTOP) while the workload runs, so that only the kernel's part is counted.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { installWorkload, leastOfThree, required, type Step } from './guest-workload.mjs';
import type { Configuration, Counted } from './kernel.mjs';

const [folder = '', json = '[]'] = process.argv.slice(2);
const files = { shallow: '/srv/file', deep: '/srv/2/3/4/5/6/file', write: '/srv/written' };
const workload: readonly Step[] = [
  ['pread-2', 'pread', files.shallow],
  ['pread-7', 'pread', files.deep],
  ['pread-match', 'pread', '/etc/shadow'],
  ['pwrite-2', 'pwrite', files.write],
  ['open-close', 'open-close', files.shallow],
  ['connect', 'connect', '127.0.0.1'],
  ['exec', 'exec', '/srv/true'],
];

/** Instructions that the kernel needs to call an empty program from a raw tracepoint. */
const CALL = 136;

mkdirSync('/srv/2/3/4/5/6', { recursive: true });
for (const path of Object.values(files)) writeFileSync(path, 'sixteen bytes, ok');
installWorkload(folder);

/** The members of `bpftool prog show -j` that are read here. */
type ProgramStatistics = Partial<Record<'run_time_ns' | 'run_cnt', number>>;

/**
 * Instructions that the programs take for one exec, as the kernel itself counts them (bpf_stats_enabled). The difference of two
 * runs would say nothing: an exec allocates pages, and varies by more than the programs take.
 */
function countExec(): number {
  const execs = 1000;
  const totals = (): { readonly time: number; readonly runs: number } => {
    const output = execFileSync('/usr/sbin/bpftool', ['prog', 'show', '-j'], { encoding: 'utf8' });
    const programs = JSON.parse(output) as readonly ProgramStatistics[];
    const sum = (key: keyof ProgramStatistics): number =>
      programs.reduce((total, program) => total + (program[key] ?? 0), 0);
    return { time: sum('run_time_ns'), runs: sum('run_cnt') };
  };
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
  const before = totals();
  // an exec reports the working folder: the price grows with its depth
  execFileSync('/srv/workload', ['/srv/true', String(execs)], { cwd: '/srv' });
  const after = totals();
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '0');
  return (after.time - before.time + CALL * (after.runs - before.runs)) / execs;
}

async function startTracer(attach: string, policy: string | undefined): Promise<ChildProcess> {
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

async function measure({ name, attach, policy }: Configuration): Promise<Counted> {
  console.error(name);
  if (attach === undefined) return { name, counts: leastOfThree(workload) };
  const tracer = await startTracer(attach, policy);
  tracer.kill('SIGSTOP');
  const counts = leastOfThree(workload);
  const execAdded = countExec();
  const ended = once(tracer, 'exit');
  tracer.kill('SIGKILL');
  await ended;
  return { name, counts, execAdded };
}

const results: Counted[] = [];
for (const configuration of JSON.parse(json) as readonly Configuration[]) results.push(await measure(configuration));
writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
