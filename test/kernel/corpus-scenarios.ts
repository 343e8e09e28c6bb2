/**
 * The events that published policies must report, one policy of each kind; and the policies that are refused, with
 * their codes.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Action } from './matrix.js';
import { MODULE_FILE } from './matrix-objects.js';
import { PROGRAMS, ROOT } from './matrix-strings.js';
import { copyProgram, kernel } from './support.js';

export interface Expected {
  readonly functionName: string;
  readonly args: readonly unknown[];
}

export interface Scenario {
  readonly actions: readonly Action[];
  /** The expected events in this order; others may be in between. If the list is empty, no event may come. */
  readonly events: readonly Expected[];
}

/** System calls of x86-64, the architecture of the virtual machine. */
const CALLS = {
  write: 1,
  dup: 32,
  dup2: 33,
  link: 265,
  ptrace: 101,
  setuid: 105,
  pivot_root: 155,
  mount: 165,
  clock_settime: 227,
  openat: 257,
  symlinkat: 266,
} as const;
const call = (name: keyof typeof CALLS, ...args: readonly (string | number)[]): Action => [
  'call',
  CALLS[name],
  ...args,
];
const expectedEvent = (functionName: string, ...args: readonly unknown[]): Expected => ({ functionName, args });
const syscall = (name: string, ...args: readonly unknown[]): Expected => expectedEvent(`__x64_sys_${name}`, ...args);
const value = (of: unknown): object => ({ value: of });

const AT_FDCWD = -100;
const NEWUSER = 0x10000000;
const NEWPID = 0x20000000;
const connection = { sourceAddress: '127.0.0.5', destinationAddress: '127.0.0.1', destinationPort: 5040 };
const connect: Action = ['tcp', '127.0.0.5', 0, '127.0.0.1', 5040];
const BPF: Scenario = {
  actions: [
    ['bpfprog', 'corpus'],
    ['bpfmap', 'corpus'],
    ['perf', 2],
  ],
  events: [
    expectedEvent('bpf_check', { programType: 'BPF_PROG_TYPE_SOCKET_FILTER', instructions: 2, name: 'corpus' }),
    expectedEvent(kernel === '6.1' ? 'security_bpf_map_alloc' : 'security_bpf_map_create', {
      mapType: 'BPF_MAP_TYPE_HASH',
      name: 'corpus',
    }),
    expectedEvent('security_perf_event_alloc', { eventType: 'PERF_TYPE_SOFTWARE' }),
  ],
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'tracingpolicy__bpf.yaml': BPF,
  'policylibrary__bpf.yaml': BPF,
  'tracingpolicy__tcp-connect.yaml': {
    actions: [connect],
    events: [expectedEvent('tcp_connect', connection), expectedEvent('tcp_close', { sourceAddress: '127.0.0.5' })],
  },
  'tracingpolicy__tcp-connect-with-selectors.yaml': {
    actions: [['tcp', '2001:db8::1', 0, '::1', 5041], connect],
    events: [expectedEvent('tcp_connect', connection)],
  },
  'tracingpolicy__security-socket-connect.yaml': {
    actions: [['unix', '/no/such'], connect],
    events: [
      expectedEvent('security_socket_connect', { family: 'AF_INET', address: '127.0.0.1', port: 5040 }, value(16)),
    ],
  },
  'tracingpolicy__dev_hard_start_xmit.yaml': {
    actions: [['send', '127.0.0.5', 0, '127.0.0.1', 5042]],
    events: [expectedEvent('dev_hard_start_xmit', value('lo'))],
  },
  'tracingpolicy__host-changes__monitor-kernel-modules.yaml': {
    actions: [['module', MODULE_FILE, 'dummy']],
    events: [
      expectedEvent('security_kernel_read_file', { path: MODULE_FILE }, value(2)),
      expectedEvent('do_init_module', { name: 'dummy' }),
      expectedEvent('free_module', { name: 'dummy' }),
    ],
  },
  'policylibrary__modules.yaml': {
    actions: [['module', MODULE_FILE, 'dummy']],
    events: [expectedEvent('security_kernel_read_file', { path: MODULE_FILE }, value(2))],
  },
  'tracingpolicy__kprobe_commit_creds.yaml': {
    actions: [['setuid', 77]],
    events: [expectedEvent('commit_creds', { uid: 0, euid: 77 })],
  },
  'tracingpolicy__sys_setuid.yaml': {
    actions: [call('setuid', 78)],
    events: [syscall('setuid', value(78))],
  },
  'tracingpolicy__process-credentials__process.credentials.changes.at.syscalls.yaml': {
    actions: [call('setuid', 0), ['nscall', NEWPID, CALLS.setuid, 0]],
    events: [syscall('setuid', value(0))],
  },
  'tracingpolicy__fd_install_ns_host.yaml': {
    actions: [['create', `${ROOT}/host`, 0]],
    events: [expectedEvent('fd_install', {}, { path: `${ROOT}/host` })],
  },
  'tracingpolicy__fd_install_caps.yaml': {
    actions: [['create', `${ROOT}/host`, 0], ['nscall', NEWUSER, CALLS.openat, AT_FDCWD, `=${ROOT}/host`, 0]], // prettier-ignore
    events: [expectedEvent('fd_install', {}, { path: `${ROOT}/host` })],
  },
  'tracingpolicy__sys_mount.yaml': {
    actions: [call('mount', '=nothing', '=/no/such', '=none', 0, 0)],
    events: [syscall('mount', value('nothing'), value('/no/such'))],
  },
  // These three policies exclude descendants of process 1. In the guest those are all processes.
  'tracingpolicy__sys_pivot_root.yaml': {
    actions: [['nscall', NEWPID, CALLS.pivot_root, '=/no/such', '=/no/old']],
    events: [],
  },
  'tracingpolicy__sys_ptrace.yaml': {
    actions: [call('ptrace', 4, 1, 4321, 0)],
    events: [syscall('ptrace', value(4321))],
  },
  'tracingpolicy__write.yaml': {
    actions: [call('write', 1, '=text', 4)],
    events: [],
  },
  'tracingpolicy__symlink-observe.yaml': {
    actions: [
      call('symlinkat', '=/etc/other', AT_FDCWD, '=/srv/l'),
      call('symlinkat', '=/etc/passwd', AT_FDCWD, '=/srv/l2'),
    ],
    events: [syscall('symlinkat', value('/etc/passwd'), value(AT_FDCWD), value('/srv/l2'))],
  },
  'tracingpolicy__hardlink-observe.yaml': {
    actions: [call('link', AT_FDCWD, '=/etc/passwd', AT_FDCWD, '=/srv/l3', 0)],
    events: [syscall('linkat', value(AT_FDCWD), value('/etc/passwd'), value(AT_FDCWD), value('/srv/l3'), value(0))],
  },
  'tracingpolicy__openat_write.yaml': {
    actions: [call('openat', AT_FDCWD, '=/etc/passwd', 0), call('openat', AT_FDCWD, '=/etc/passwd', 1)],
    events: [syscall('openat', value(AT_FDCWD), value('/etc/passwd'), value(1))],
  },
  'tracingpolicy__filename_monitoring_filtered.yaml': {
    actions: [
      ['readfile', '/etc/passwd'],
      ['append', '/etc/passwd'],
    ],
    events: [expectedEvent('security_file_permission', { path: '/etc/passwd' }, value(2))],
  },
  'tracingpolicy__list-syscalls.yaml': {
    actions: [call('dup', 0), call('dup2', 0, 9)],
    events: [syscall('dup'), syscall('dup2')],
  },
  'tracingpolicy__sys_clock_settime.yaml': {
    actions: [call('clock_settime', 77, 0)],
    events: [],
  },
  'tracingpolicy__tty.yaml': {
    actions: [['append', '/dev/ptmx']],
    events: [expectedEvent('tty_write', { path: '/dev/ptmx' }, { size: 1, value: Buffer.from('\n') })],
  },
  'tracingpolicy__security_inode_follow_link.yaml': {
    actions: [['call', CALLS.openat, AT_FDCWD, '=/proc/self/exe', 0]],
    events: [expectedEvent('security_inode_follow_link', { path: '/self' })],
  },
  'tracingpolicy__process-exec__process-exec-elf-begin.yaml': {
    actions: [['exec', `${PROGRAMS}/corpus`]],
    events: [expectedEvent('security_bprm_creds_from_file', { path: `${PROGRAMS}/corpus` })],
  },
};

/** Paths of the programs with static probes on this machine. */
const PROBES = '/tmp/corpus-probes';

/** Paths of other machines that the policies name, and the paths on this machine. */
const PATHS = [
  ['/home/jolsa/tetragon/contrib/tester-progs/', `${PROBES}/`],
  ['/procRoot/', '/proc/'],
  ['/lib64/libc.so.6', `/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/libc.so.6`],
] as const;

export function replacePaths(yaml: string): string {
  return PATHS.reduce((text, [from, to]) => text.replaceAll(from, to), yaml);
}

export function prepareProbes(): void {
  mkdirSync(PROBES, { recursive: true });
  for (const name of ['usdt', 'usdt-override']) copyProgram('corpus-probes', join(PROBES, name));
}

/** Files that every kernel refuses, by their codes. The three addresses are variables that users must replace. */
const EVERYWHERE: readonly (readonly [codes: string, files: readonly string[]])[] = [
  [
    'ADDRESS_INVALID',
    [
      'policylibrary__egress.yaml',
      'quickstart__network_egress_cluster.yaml',
      'quickstart__network_egress_cluster_enforce.yaml',
    ],
  ],
  // A kernel without CONFIG_FUNCTION_ERROR_INJECTION does not allow an override of system calls.
  [
    'OVERRIDE_NOT_POSSIBLE',
    ['tracingpolicy__hardlink-override.yaml', 'tracingpolicy__killer.yaml', 'tracingpolicy__symlink-override.yaml'],
  ],
];

/**
 * Files with functions that the kernel does not have under that name. polytrace does not guess which function is meant.
 */
const BY_KERNEL: Readonly<Record<string, readonly string[]>> = {
  '6.1': ['tracingpolicy__dev_queue_xmit.yaml', 'tracingpolicy__host-changes__monitor-signed-kernel-modules.yaml'],
  '6.12': [
    'tracingpolicy__dev_queue_xmit.yaml',
    'tracingpolicy__host-changes__monitor-signed-kernel-modules.yaml',
    'tracingpolicy__stack_traces.yaml',
  ],
};

/** A policy for kernels before 5.10, where the function had other parameters. */
const OLD_PROTOTYPE = 'tracingpolicy__tty_54.yaml';

/** A policy for kernels before 6.9, where the first parameter was the name. It is loaded everywhere, with a warning here. */
export const OLD_NAME = 'tracingpolicy__cves__cve-2023-2640-overlayfs-ubuntu.yaml';

/** The codes with which a file must be refused; undefined if it must be loaded. */
export function expectedRefusal(file: string): readonly string[] | undefined {
  if (BY_KERNEL[kernel]?.includes(file) === true) return ['HOOK_NOT_FOUND'];
  if (file === OLD_PROTOTYPE) return ['ARG_BEYOND_PROTOTYPE', 'ARG_TYPE_MISMATCH'];
  return EVERYWHERE.find(([, files]) => files.includes(file))?.[0].split(' ');
}
