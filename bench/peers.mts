// Compares polytrace with other tools that watch the same files: instructions that each one adds to a read and to an
// open, in one virtual machine.
import { execFileSync } from 'node:child_process';
import { countInVm } from './count.mjs';
import { formatNumber, type Rows } from './table.mjs';

const SECRET = '/etc/shadow';

export const PEER_POLICY = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: peers }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }, { index: 1, type: int }]
      selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: [${SECRET}] }] }]
    - call: security_file_open
      syscall: false
      args: [{ index: 0, type: file }]
      selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: [${SECRET}] }] }]
`;

const bpftraceProgram = (value: string, wanted: string): string =>
  ['security_file_permission', 'security_file_open']
    .map((name) => `fentry:${name} /${value} == "${wanted}"/ { printf("%d %s ${name} %s\\n", pid, comm, ${value}); }`)
    .concat('BEGIN { printf("ready\\n"); }')
    .join('\n');

/** Compares whole paths, as the policy does. */
export const BPFTRACE_PATH = bpftraceProgram('path(args.file->f_path)', SECRET);

/** Compares the name without its folders, which costs less. Every file of that name fits. */
export const BPFTRACE_NAMES = bpftraceProgram('str(args.file->f_path.dentry->d_name.name)', 'shadow');

/** It cannot compare paths in the kernel, so it reports each call. */
export const PERF_ARGUMENTS = ['trace', '-v', '-a', '-e', 'pread64,openat', '-o', '/run/perf.txt'];

export const STRACE_ARGUMENTS = ['-f', '-e', 'trace=pread64,openat', '-P', SECRET, '-o', '/run/strace.txt'];

/** The rule is compared when a file is opened. A read has no path for it. */
export const AUDIT_RULE = [
  '-a',
  'always,exit',
  '-F',
  'arch=b64',
  '-S',
  'openat',
  '-F',
  `path=${SECRET}`,
  '-F',
  'perm=r',
];

const COLUMNS: readonly (readonly [title: string, key: string])[] = [
  ['pread', 'pread'],
  ['pread, match', 'pread-match'],
  ['open + close', 'open-close'],
  ['open + close, match', 'open-match'],
];

const PACKAGES: Readonly<Record<string, string>> = {
  bpftrace: 'bpftrace',
  perf: 'linux-perf',
  strace: 'strace',
  auditctl: 'auditd',
};

/** Throws an error that names the packages of the tools that do not start. */
function requirePeers(): void {
  const missing = Object.keys(PACKAGES).filter((command) => {
    try {
      execFileSync(command, command === 'auditctl' ? ['-v'] : ['--version'], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length === 0) return;
  const packages = missing.map((command) => PACKAGES[command]).join(' ');
  throw new Error(`${missing.join(', ')} did not start: apt-get install ${packages}`);
}

export async function peerTable(kernel: string): Promise<Rows> {
  requirePeers();
  const json = await countInVm(kernel, 'guest-peers.mts /run/vm', 'peers.json');
  const { nothing = {}, ...peers } = JSON.parse(json) as Readonly<Record<string, Readonly<Record<string, number>>>>;
  const count = (counts: Readonly<Record<string, number>>, key: string): number => counts[key] ?? NaN;
  return [
    ['', ...COLUMNS.map(([title]) => title)],
    ['by itself', ...COLUMNS.map(([, key]) => formatNumber(count(nothing, key)))],
    ...Object.entries(peers).map(([name, counts]) => [
      name,
      ...COLUMNS.map(([, key]) => formatNumber(Math.round(count(counts, key) - count(nothing, key)))),
    ]),
  ];
}
