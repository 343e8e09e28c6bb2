/**
 * Ways around policies: attacks, and the hooks of each policy that report them. The policies are our example, the
 * published policy for file monitoring, and all policies of the package. For a policy that an attack does not name, it
 * is none: the policy must report nothing.
 */
export interface Attack {
  readonly title: string;
  /** A technique of evasion.c and its arguments. */
  readonly action: readonly (string | number)[];
  /** It prepares its technique before the policies are loaded. */
  readonly late?: true;
  /** It runs as a program that the policy `egress` names. */
  readonly shell?: true;
  /** By name of the policy: the functions of its events. */
  readonly reports?: Readonly<Record<string, readonly string[]>>;
  /** By name of the policy: it reports nothing; what closes the way, as in docs/policy-library.md. */
  readonly open?: Readonly<Record<string, string>>;
  /** By kernel: the attack fails with this message, because the kernel does not have the way. */
  readonly lacks?: Readonly<Record<string, string>>;
}

export interface Way {
  readonly name: string;
  readonly attacks: readonly Attack[];
  /** By name of the policy: why this is no way around it. */
  readonly excluded?: Readonly<Record<string, string>>;
}

export const EXAMPLE = 'file-monitoring';
export const UPSTREAM = 'file-monitoring-filtered';
/** The policies of the package that are compared. test/kernel/policy-library.test.ts has attacks on all. */
export const COMPARED: readonly string[] = [
  'container-escape',
  'credentials',
  'egress',
  'file-integrity',
  EXAMPLE,
  'kernel',
  'memory-files',
  'package-managers',
  'persistence',
  'privilege-escalation',
];

export const FOLDER = '/srv/policy-evasion';
export const EMPTY = `${FOLDER}/empty`;
export const TARGET = `${FOLDER}/target`;
export const FAKE = `${FOLDER}/fake`;
/** A secret that every user may read, so that attacks need no privilege. */
export const SECRET = '/etc/shadow-evasion';
export const SECRET_NAME = 'shadow-evasion';
/** A file that runs programs. */
export const JOB = '/etc/cron.evasion';
export const JOB_NAME = 'cron.evasion';
export const JOBS = '/etc/cron.evasion-folder';
/** A folder that everybody can write. */
export const TEMPORARY = '/tmp/policy-evasion-program';
/** The folder of a cgroup, whose files no other program looks up. */
export const COLD_FOLDER = `${FOLDER}/cgroups/evasion`;
/** The file that is bound over a program which the policy `egress` names, and that program. */
export const SHELL = '/usr/bin/dash';
/** A disk with a copy of our program, and the folder on which an attack mounts it. */
export const DISK = '/dev/loop7';
export const DISK_FOLDER = `${FOLDER}/disk`;
export const DISK_PROGRAM = 'program';
export const MODULE = '/tmp/dummy-evasion.ko';
export const PUBLIC_ADDRESS = '203.0.113.1';
export const PRIVATE_ADDRESS = '127.0.0.1';
export const MANAGER = ['program', '/usr/bin/dpkg', '--version'] as const;

/** Functions of hooks. */
export const [READ, MAP] = ['security_file_permission', 'security_mmap_file'];
export const [CHECK_EXEC, CHMOD] = ['security_bprm_check', 'security_path_chmod'];
export const [LOOPBACK, LAYER] = ['__do_loopback', 'clone_private_mount'];
export const [MOUNT, NEW_MOUNT, MOVE_MOUNT] = ['security_sb_mount', 'security_sb_kern_mount', 'security_move_mount'];

/** The policies that report reads of secrets, and those that report writes of files that run programs. */
export const READERS = [EXAMPLE, UPSTREAM, 'credentials'];
export const WRITERS = [EXAMPLE, UPSTREAM, 'file-integrity', 'persistence'];

export function reportBy(
  policies: readonly string[],
  ...functions: readonly string[]
): Record<string, readonly string[]> {
  return Object.fromEntries(policies.map((name) => [name, functions]));
}

/** Actions without a way around, and the functions that each policy reports for them. */
export const ACTIONS: readonly Attack[] = [
  { title: 'reads a secret', action: ['read', SECRET], reports: reportBy(READERS, READ) },
  { title: 'writes a job', action: ['write', JOB], reports: reportBy(WRITERS, READ) },
  {
    title: 'a shell connects',
    action: ['connect', PRIVATE_ADDRESS],
    shell: true,
    reports: { egress: ['tcp_connect'] },
  },
  { title: 'writes memory by /proc', action: ['memory'], reports: { kernel: ['mem_write'] } },
  {
    title: 'executes a program in memory',
    action: ['memfdexec'],
    reports: { 'memory-files': [CHECK_EXEC] },
  },
  { title: 'executes a package manager', action: MANAGER, reports: { 'package-managers': [CHECK_EXEC] } },
  {
    title: 'gets user id 0',
    action: ['regain'],
    reports: { 'privilege-escalation': ['__x64_sys_setuid'] },
  },
];

/** Enters a namespace. The policy `container-escape` is about processes in a pid namespace of their own. */
export const ENTER_NAMESPACE: Attack = {
  title: 'enters a namespace',
  action: ['setns'],
  reports: { 'container-escape': ['__x64_sys_setns'] },
};
