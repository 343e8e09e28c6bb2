// Runs in the virtual machine: the workload beside each tracer in turn. guest.mjs FOLDER CONFIGURATIONS, a JSON list of
// {name, attach?, policy?}; writes FOLDER/counts.json. A tracer is stopped (SIGSTOP) while the workload runs: what is counted
// is the kernel's part; the reader's is measured on the host.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { installWorkload, leastOfThree } from './guest-workload.mjs';

const [folder, json] = process.argv.slice(2);
const files = { shallow: '/srv/file', deep: '/srv/2/3/4/5/6/file', write: '/srv/written' };
const workload = [
  ['pread-2', 'pread', files.shallow],
  ['pread-7', 'pread', files.deep],
  ['pread-match', 'pread', '/etc/shadow'],
  ['pwrite-2', 'pwrite', files.write],
  ['open-close', 'open-close', files.shallow],
  ['exec', 'exec', '/srv/true'],
];

/** Calling an empty program from a raw tracepoint takes this many; see docs/architecture.md. */
const CALL = 136;

mkdirSync('/srv/2/3/4/5/6', { recursive: true });
for (const path of Object.values(files)) writeFileSync(path, 'sixteen bytes, ok');
installWorkload(folder);

/**
 * Instructions that the programs take for one exec. The kernel counts them (bpf_stats_enabled); an exec varies by more than
 * they take, since it allocates pages, so that a difference would say nothing.
 */
function countExec() {
  const execs = 1000;
  const totals = () => {
    const programs = JSON.parse(execFileSync('/usr/sbin/bpftool', ['prog', 'show', '-j'], { encoding: 'utf8' }));
    const sum = (key) => programs.reduce((total, program) => total + (program[key] ?? 0), 0);
    return { time: sum('run_time_ns'), runs: sum('run_cnt') };
  };
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
  const before = totals();
  execFileSync('/srv/workload', ['/srv/true', String(execs)]);
  const after = totals();
  writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '0');
  return (after.time - before.time + CALL * (after.runs - before.runs)) / execs;
}

async function startTracer({ attach, policy }) {
  const args = ['bench/tracer.mjs', attach, ...(policy === undefined ? [] : [policy])];
  const tracer = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface(tracer.stderr);
  const ready = new Promise((resolve, reject) => {
    lines.on('line', (line) => (console.error(`  ${line}`), line.startsWith('ready') && resolve()));
    tracer.once('exit', (code) => reject(new Error(`the tracer ended with status ${code}`)));
  });
  await ready;
  return tracer;
}

const results = [];
for (const configuration of JSON.parse(json)) {
  console.error(`${configuration.name}`);
  const tracer = configuration.attach === undefined ? undefined : await startTracer(configuration);
  tracer?.kill('SIGSTOP');
  const counts = leastOfThree(workload);
  results.push({ name: configuration.name, counts });
  if (tracer === undefined) continue;
  counts.execAdded = countExec();
  const ended = once(tracer, 'exit');
  tracer.kill('SIGKILL');
  await ended;
}
writeFileSync(`${folder}/counts.json`, JSON.stringify(results));
