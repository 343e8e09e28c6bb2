// Runs in the virtual machine: counts the instructions that other tools add to the operations which they watch.
// guest-peers.mts FOLDER writes FOLDER/peers.json. Each tool is stopped (SIGSTOP) while the workload runs, so that only
// the kernel's part is counted. Two have no such part of their own: strace works while the traced process waits, so its
// work is in the figure; the rules of audit stay in the kernel.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { countBeside } from './guest-tool.mjs';
import { installWorkload, minimumOfThree, type Step } from './guest-workload.mjs';
import { AUDIT_RULE, BPFTRACE_NAMES, BPFTRACE_PATH, PEER_POLICY, PERF_ARGUMENTS, STRACE_ARGUMENTS } from './peers.mjs';

const [folder = ''] = process.argv.slice(2);

const steps: readonly Step[] = [
  ['pread', 'pread', '/srv/file'],
  ['pread-match', 'pread', '/etc/shadow'],
  ['open-close', 'open-close', '/srv/file'],
  ['open-match', 'open-close', '/etc/shadow'],
];

function countAudited(): Record<string, number> {
  execFileSync('auditctl', ['-b', '8192', '-e', '1']);
  execFileSync('auditctl', AUDIT_RULE);
  const counts = minimumOfThree(steps);
  execFileSync('auditctl', ['-D']);
  execFileSync('auditctl', ['-e', '0']);
  return counts;
}

mkdirSync('/srv', { recursive: true });
writeFileSync('/srv/file', 'sixteen bytes, ok');
installWorkload(folder);
writeFileSync('/srv/peers.yaml', PEER_POLICY);

const counts: Record<string, Record<string, number>> = {};
const record = async (name: string, count: () => Promise<Record<string, number>> | Record<string, number>) => {
  console.error(name);
  counts[name] = await count();
};
const tracer = ['--import', 'tsx', 'bench/tracer.mts', 'auto', '/srv/peers.yaml'];

await record('nothing', () => minimumOfThree(steps));
await record('polytrace', () => countBeside(process.execPath, tracer, /^ready/m, steps));
await record('bpftrace, path()', () => countBeside('bpftrace', ['-B', 'none', '-e', BPFTRACE_PATH], /^ready/m, steps));
await record('bpftrace, names', () => countBeside('bpftrace', ['-B', 'none', '-e', BPFTRACE_NAMES], /^ready/m, steps));
await record('perf trace', () => countBeside('perf', PERF_ARGUMENTS, /mmap size/, steps));
await record('strace', () => minimumOfThree(steps, ['strace', ...STRACE_ARGUMENTS]));
await record('audit', countAudited);
writeFileSync(`${folder}/peers.json`, JSON.stringify(counts));
