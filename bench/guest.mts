// Runs in the virtual machine: counts the instructions of the workload with each tracer. guest.mts FOLDER
// CONFIGURATIONS [STEP,...] writes FOLDER/counts.json. CONFIGURATIONS is JSON, and all steps run if none is named. Each
// tracer is stopped (SIGSTOP) while the workload runs, so that only the kernel's part is counted.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { installWorkload, minimumOfThree, requireValue, type Step } from './guest-workload.mjs';
import type { Configuration, InstructionCounts } from './kernel.mjs';

const [folder = '', json = '[]', names] = process.argv.slice(2);
const longName = (length: number): string => `/srv/${'n'.repeat(length)}`;
const files = {
  shallow: '/srv/file',
  deep: '/srv/2/3/4/5/6/file',
  write: '/srv/written',
  renamed: '/srv/renamed',
  layer: '/srv/layers/lower/3/4/5/6/file',
  long100: longName(100),
};
const overlay = '/srv/overlay';
const steps: readonly Step[] = [
  ['pread-2', 'pread', files.shallow],
  ['pread-7', 'pread', files.deep],
  ['pread-overlay', 'pread', `${overlay}/3/4/5/6/file`],
  ['pread-match', 'pread', '/etc/shadow'],
  ['pwrite-2', 'pwrite', files.write],
  ['pread-first', 'pread-first', '/srv/many'],
  ['pread-renames', 'pread-renames', files.renamed],
  ['pread-100', 'pread', files.long100],
  ['pread-in-turn', 'pread-turn', '/srv/turn-300'],
  ['pread-in-turns', 'pread-turns', '/srv/turn-10000'],
  ['pread-busy', 'pread-busy', files.renamed],
  ['pread-etc', 'pread', '/etc/hostname'],
  ['pread-memfd', 'pread-memfd', ''],
  ['pread-proc', 'pread', '/proc/version'],
  ['pread-proc-pid', 'pread', '/proc/1/stat'],
  ['pipe', 'pipe', ''],
  ['sockets', 'sockets', ''],
  ['open-close', 'open-close', files.shallow],
  ['connect', 'connect', '127.0.0.1'],
  ['exec', 'exec', '/srv/true'],
];
const workload = names === undefined ? steps : steps.filter(([name]) => names.split(',').includes(name));

/** Instructions that the kernel needs to call an empty program from a raw tracepoint. */
const CALL_INSTRUCTIONS = 136;

for (const path of Object.values(files)) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'sixteen bytes, ok');
}
mountOverlay();
installWorkload(folder);

/** Mounts an overlay as a container has it: the file is in the lower layer. */
function mountOverlay(): void {
  for (const path of [overlay, '/srv/layers/upper', '/srv/layers/work']) mkdirSync(path);
  const layers = 'lowerdir=/srv/layers/lower,upperdir=/srv/layers/upper,workdir=/srv/layers/work';
  execFileSync('modprobe', ['overlay']);
  execFileSync('mount', ['-t', 'overlay', '-o', layers, 'overlay', overlay]);
}

/** The members of `bpftool prog show -j` that are read here. */
type ProgramStatistics = Partial<Record<'run_time_ns' | 'run_cnt', number>> & { readonly name?: string };

/** Instructions of all programs so far, by the name of the program. */
function instructionsByProgram(): ReadonlyMap<string, number> {
  const output = execFileSync('/usr/sbin/bpftool', ['prog', 'show', '-j'], { encoding: 'utf8' });
  const sums = new Map<string, number>();
  for (const { name = '', run_time_ns = 0, run_cnt = 0 } of JSON.parse(output) as readonly ProgramStatistics[])
    sums.set(name, (sums.get(name) ?? 0) + run_time_ns + CALL_INSTRUCTIONS * run_cnt);
  return sums;
}

/**
 * Counts the instructions of each program for one vfork, exec and exit, with the statistics of the kernel
 * (bpf_stats_enabled). The difference of two runs is not useful: an exec allocates pages, and its cost varies by more
 * than the programs take.
 */
function countExec(): Readonly<Record<string, number>> {
  const execs = 1000;
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
  const before = instructionsByProgram();
  // an exec reports the working folder, so its cost grows with the depth of the folder
  execFileSync('/srv/workload', ['/srv/true', String(execs)], { cwd: '/srv' });
  const after = instructionsByProgram();
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '0');
  const perExec = [...after].map(([name, sum]): [string, number] => [name, (sum - (before.get(name) ?? 0)) / execs]);
  return Object.fromEntries(perExec.filter(([, instructions]) => instructions > 0));
}

async function startTracer({ attach = '', policy, uncached }: Configuration): Promise<ChildProcess> {
  // a hook needs addresses of the kernel for its negative cache
  writeFileSync('/proc/sys/kernel/kptr_restrict', uncached === true ? '2' : '1');
  const args = ['--import', 'tsx', 'bench/tracer.mts', attach, ...(policy === undefined ? [] : [policy])];
  const tracer = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface(requireValue(tracer.stderr ?? undefined, 'the stderr of the tracer'));
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      console.error(`  ${line}`);
      if (line.startsWith('ready')) resolve();
    });
    tracer.once('exit', (code) => reject(new Error(`the tracer ended with status ${code}`)));
  });
  return tracer;
}

async function measure(configuration: Configuration): Promise<InstructionCounts> {
  const { name, attach } = configuration;
  console.error(name);
  if (attach === undefined) return { name, counts: minimumOfThree(workload) };
  const tracer = await startTracer(configuration);
  tracer.kill('SIGSTOP');
  const counts = minimumOfThree(workload);
  const programs = countExec();
  const ended = once(tracer, 'exit');
  tracer.kill('SIGKILL');
  await ended;
  return { name, counts, programs };
}

const results: InstructionCounts[] = [];
for (const configuration of JSON.parse(json) as readonly Configuration[]) {
  results.push(await measure(configuration));
  writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
}
