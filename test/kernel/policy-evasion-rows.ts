/**
 * Ways around policies, and the hooks of each policy that report them: of our example, of the published policy for file
 * monitoring, and of all policies of the package. A policy that a row does not name must report nothing.
 */
import { kernel } from './support.js';

export interface EvasionRow {
  readonly title: string;
  /** An action of evasion.c; with `late`, of evasion-late.c, which prepares it before the policies are loaded. */
  readonly action: readonly (string | number)[];
  readonly late?: true;
  /** By name of the policy: the functions of its events. */
  readonly reports: Readonly<Record<string, readonly string[]>>;
  /** If set, the way exists only on these kernels. */
  readonly kernels?: readonly string[];
}

export const EXAMPLE = 'file-monitoring';
export const UPSTREAM = 'file-monitoring-filtered';

export const FOLDER = '/srv/policy-evasion';
export const SECRET = '/etc/shadow-evasion';
/** A secret that user 1000 may read. */
export const OWN_SECRET = '/etc/shadow-own';
export const MOUNT_POINT = '/etc/evasion-mount';
export const COVERED = '/etc/evasion-covered';
export const COLD_FOLDER = '/etc/shadow-cold';
export const COLD_NAME = 'file';
/** The device with the file that is not cached. */
export const DEVICE = '/dev/loop7';
/** The policy `egress` names this program. A row mounts evasion-late.c over it. */
export const SHELL = '/usr/bin/dash';

const READ = 'security_file_permission';
const everyReader = { [EXAMPLE]: [READ], [UPSTREAM]: [READ], credentials: [READ] };
/** The functions that show a bind mount or its copy. */
const LOOPBACK = '__do_loopback';
const [NEW_MOUNT, MOVE_MOUNT] = ['security_sb_kern_mount', 'security_move_mount'];

const MOUNTS: readonly EvasionRow[] = [
  {
    title: 'a file system by fsopen, fsmount and move_mount over a system folder',
    action: ['mounts', 'fsmount', MOUNT_POINT, `${MOUNT_POINT}/file`],
    reports: { [EXAMPLE]: [READ, MOVE_MOUNT], [UPSTREAM]: [READ], 'file-integrity': [READ] },
  },
  {
    title: 'the same in a pid namespace',
    action: ['mounts', 'pidns', 'fsmount', MOUNT_POINT, `${MOUNT_POINT}/file`],
    reports: {
      [EXAMPLE]: [READ, MOVE_MOUNT],
      [UPSTREAM]: [READ],
      'file-integrity': [READ],
      'container-escape': [MOVE_MOUNT, NEW_MOUNT],
    },
  },
  {
    title: 'a file system that is attached nowhere, in a pid namespace',
    action: ['mounts', 'pidns', 'detached', 'file'],
    reports: { 'container-escape': [NEW_MOUNT] },
  },
  {
    title: 'a copy of a mount that is attached nowhere, in a pid namespace',
    action: ['mounts', 'pidns', 'tree', '/etc', OWN_SECRET.slice('/etc/'.length)],
    reports: { [EXAMPLE]: [LOOPBACK], 'container-escape': [LOOPBACK] },
  },
  {
    title: 'mount(8) with a new file system, in a pid namespace',
    action: ['mounts', 'pidns', 'program', '/usr/bin/mount', '-t', 'tmpfs', 'none', MOUNT_POINT],
    reports: { [EXAMPLE]: [MOVE_MOUNT], 'container-escape': [MOVE_MOUNT, NEW_MOUNT] },
  },
  {
    title: 'mount(8) with --bind, in a pid namespace',
    action: ['mounts', 'pidns', 'program', '/usr/bin/mount', '--bind', `${FOLDER}/fake`, COVERED],
    reports: { [EXAMPLE]: [MOVE_MOUNT], 'container-escape': [LOOPBACK, MOVE_MOUNT] },
  },
];

/** Numbers of 32-bit calls (arch/x86/entry/syscalls/syscall_32.tbl), and who reports them. */
const IA32_CALLS: readonly (readonly [call: string, number: number, first: number, policy: string, prefix?: string])[] =
  [
    ['setuid', 213, 0, 'privilege-escalation'],
    ['setuid16', 23, 0, 'privilege-escalation'],
    ['init_module', 128, 0, 'kernel'],
    ['finit_module', 350, -1, 'kernel'],
    ['delete_module', 129, 0, 'kernel'],
    ['bpf', 357, 5, 'kernel'],
    ['ptrace', 26, 16, 'kernel', '__ia32_compat_sys_'],
    ['process_vm_writev', 348, 0, 'kernel'],
    ['memfd_create', 356, 0, 'memory-files'],
  ];

const ENTRIES: readonly EvasionRow[] = [
  ...IA32_CALLS.map(([call, number, first, policy, prefix = '__ia32_sys_']): EvasionRow => ({
    title: `the 32-bit ${call}`,
    action: ['ia32', number, first, 0],
    reports: { [policy]: [prefix + call] },
  })),
  {
    title: 'the 32-bit setns, in a pid namespace',
    action: ['pidns', 'ia32', 346, -1, 0],
    reports: { 'container-escape': ['__ia32_sys_setns'] },
  },
  {
    title: 'process 1 of an own user and pid namespace reads a secret',
    action: ['user', 'pidns', 'read', OWN_SECRET],
    reports: { ...everyReader, 'privilege-escalation': ['create_user_ns'] },
  },
];

/** These processes are older than the policies. */
const LATE: readonly EvasionRow[] = [
  { title: 'a file that was open before', late: true, action: ['open', SECRET], reports: everyReader },
  {
    title: 'an executable that is forged by PR_SET_MM_MAP',
    late: true,
    action: ['forge', '/usr/bin/passwd', SECRET],
    reports: everyReader,
  },
  {
    title: 'a leader that has ended, with the name of an exempt program',
    late: true,
    action: ['leader', '/usr/sbin/sshd', SECRET],
    reports: everyReader,
  },
  {
    title: 'a leader that has ended, of a program that is named',
    late: true,
    action: ['leader', 'other'],
    reports: { egress: ['tcp_connect'] },
  },
  {
    title: 'open_by_handle_at of a file that is not cached',
    late: true,
    action: ['cold', DEVICE, COLD_FOLDER, COLD_NAME],
    reports: everyReader,
    kernels: ['6.12'], // the newest kernel of the guests has no modules, and so no file system on a device
  },
];

export const ROWS: readonly EvasionRow[] = [...MOUNTS, ...ENTRIES, ...LATE].filter(
  ({ kernels }) => kernels?.includes(kernel) ?? true,
);
