/** Ways around policies: who a process is, when it began, and 32-bit system calls. */
import {
  ACTIONS,
  CHECK_EXEC,
  CHMOD,
  ENTER_NAMESPACE,
  EXAMPLE,
  JOB,
  JOBS,
  MANAGER,
  MODULE,
  MOUNT,
  NEW_MOUNT,
  PRIVATE_ADDRESS,
  PUBLIC_ADDRESS,
  READ,
  READERS,
  reportBy,
  SECRET,
  WRITERS,
  type Attack,
  type Way,
} from './policy-evasion-rows.js';

/** Attacks that do what ACTIONS do, after other techniques. */
function repeatActions(title: string, techniques: readonly string[], changes: Partial<Attack> = {}): Attack[] {
  return ACTIONS.map((each) => ({
    ...each,
    ...changes,
    title: `${title}: ${each.title}`,
    action: [...techniques, ...each.action],
  }));
}

const inContainer = (title: string, techniques: readonly string[], changes: Partial<Attack> = {}): Attack => ({
  ...ENTER_NAMESPACE,
  ...changes,
  title: `${title}: ${ENTER_NAMESPACE.title}`,
  action: [...techniques, ...ENTER_NAMESPACE.action],
});

/** Ids exempt from nothing, and a policy for containers is about such processes. */
export const PID_NAMESPACES: Way = {
  name: 'pid namespace',
  attacks: [
    ...repeatActions('process 1 of its pid namespace', ['pidns']),
    inContainer('process 1 of its pid namespace', ['pidns']),
    {
      title: 'process 1 of a pid and a user namespace reads a secret',
      action: ['user', 'pidns', 'read', SECRET],
      reports: { ...reportBy(READERS, READ), 'privilege-escalation': ['create_user_ns'] },
    },
  ],
};

const LEADER = ['leaderless', '/usr/sbin/sshd'];

/** The leader has ended, and has the name of a program that `credentials` leaves out. */
export const LEADERS: Way = {
  name: 'ended leader',
  attacks: [
    ...repeatActions('a thread whose leader has ended', LEADER),
    ...repeatActions('such a thread, older than the policy', [...LEADER, 'wait'], { late: true }),
    inContainer('such a thread in a container', ['pidns', ...LEADER]),
    inContainer('such a thread in a container, older than the policy', ['pidns', ...LEADER, 'wait'], { late: true }),
    {
      title: 'a forged executable, older than the policy, reads a secret',
      action: ['forge', '/usr/bin/passwd', 'wait', 'read', SECRET],
      late: true,
      reports: reportBy(READERS, READ),
    },
    {
      title: 'a forged executable, younger than the policy, reads a secret',
      action: ['forge', '/usr/bin/passwd', 'read', SECRET],
      reports: { ...reportBy(READERS, READ), 'privilege-escalation': ['create_user_ns'] },
    },
  ],
};

const EARLIER = 'A policy that is loaded before the program starts sees this; the agent loads policies at boot.';

const MAPPINGS = 'The hooks on mappings of `policies/file-monitoring.yaml` close this, if they are loaded before.';

export const LATE_POLICIES: Way = {
  name: 'late policy',
  attacks: [
    ...repeatActions('older than the policy', ['wait'], { late: true }),
    inContainer('in a container, older than the policy', ['pidns', 'wait'], { late: true }),
    {
      title: 'a secret that is open already is read',
      action: ['hold', SECRET, 'read'],
      late: true,
      reports: reportBy(READERS, READ),
    },
    {
      title: 'a job that is open already is written',
      action: ['hold', JOB, 'write'],
      late: true,
      reports: reportBy(WRITERS, READ),
    },
    {
      title: 'a secret that is mapped already is read',
      action: ['holdmap', SECRET, 'read'],
      late: true,
      open: reportEach(READERS, EARLIER),
    },
    {
      title: 'a job that is mapped already is written',
      action: ['holdmap', JOB, 'write'],
      late: true,
      open: { ...reportEach(WRITERS, EARLIER), ...reportEach(['file-integrity', 'persistence'], MAPPINGS) },
    },
    {
      title: 'a mount that is open already is used in a container',
      action: ['pidns', 'holdmount', 'file'],
      late: true,
      open: { 'container-escape': EARLIER },
    },
    {
      title: 'a connection that is open already is used',
      action: ['holdconnection', PUBLIC_ADDRESS],
      late: true,
      open: { egress: EARLIER },
    },
    {
      title: 'memory that is open already is written',
      action: ['holdmemory'],
      late: true,
      reports: { kernel: ['mem_write'] },
    },
    {
      title: 'the memory of a process that is traced already is written',
      action: ['holdtrace'],
      late: true,
      reports: { kernel: ['__x64_sys_ptrace'] },
    },
    {
      title: 'a memfd that is open already is executed',
      action: ['holdmemfd'],
      late: true,
      reports: { 'memory-files': [CHECK_EXEC] },
    },
    {
      title: 'a user namespace that exists already is entered',
      action: ['holduser'],
      late: true,
      open: { 'privilege-escalation': 'A hook on `sys_setns` closes this.' },
    },
  ],
};

function reportEach(policies: readonly string[], sentence: string): Record<string, string> {
  return Object.fromEntries(policies.map((name) => [name, sentence]));
}

/** Numbers and arguments of the calls that set a user id, and their functions. */
const USER_IDS: readonly (readonly [call: string, number: number, ...args: number[]])[] = [
  ['setuid', 213, 0, 0, 0],
  ['setuid16', 23, 0, 0, 0],
  ['setresuid', 208, -1, 0, -1],
  ['setresuid16', 164, -1, 0, -1],
];
const IA32 = '__ia32_sys_';
const MODULE_CALLS = ['init_module', 'finit_module', 'delete_module'].map((name) => IA32 + name);

export const IA32_CALLS: Way = {
  name: '32-bit',
  attacks: [
    { title: 'a 32-bit read', action: ['ia32read', SECRET], reports: reportBy(READERS, READ) },
    { title: 'a 32-bit write', action: ['ia32write', JOB], reports: reportBy(WRITERS, READ) },
    ...USER_IDS.map(([call, ...words]): Attack => ({
      title: `the 32-bit ${call}`,
      action: ['ia32regain', ...words],
      reports: { 'privilege-escalation': [IA32 + call] },
    })),
    {
      title: 'a 32-bit chmod',
      action: ['ia32chmod', JOB],
      reports: reportBy(['file-integrity', 'privilege-escalation'], CHMOD),
    },
    { title: 'a 32-bit unshare', action: ['ia32unshare'], reports: { 'privilege-escalation': ['create_user_ns'] } },
    {
      title: 'a 32-bit setns, in a container',
      action: ['pidns', 'ia32setns'],
      reports: { 'container-escape': [`${IA32}setns`] },
    },
    {
      title: 'a 32-bit mount, in a container',
      action: ['mounts', 'pidns', 'ia32mount', JOBS],
      reports: {
        ...reportBy([EXAMPLE, 'file-integrity', 'persistence'], MOUNT),
        'container-escape': [MOUNT, NEW_MOUNT],
      },
    },
    { title: 'a 32-bit connect', action: ['ia32connect', PUBLIC_ADDRESS], reports: { egress: ['tcp_connect'] } },
    {
      title: 'a 32-bit connect of a shell',
      action: ['ia32connect', PRIVATE_ADDRESS],
      shell: true,
      reports: { egress: ['tcp_connect'] },
    },
    {
      title: 'a program in memory, by 32-bit calls',
      action: ['ia32memfd'],
      reports: { 'memory-files': [CHECK_EXEC] },
    },
    {
      title: 'a package manager, by a 32-bit execve',
      action: ['ia32program', ...MANAGER.slice(1)],
      reports: { 'package-managers': [CHECK_EXEC] },
    },
    { title: 'a 32-bit bpf', action: ['ia32bpf'], reports: { kernel: [`${IA32}bpf`] } },
    {
      title: 'a 32-bit ptrace and process_vm_writev',
      action: ['ia32memory'],
      reports: { kernel: [`${IA32}process_vm_writev`, '__ia32_compat_sys_ptrace'] },
    },
    {
      title: 'modules, by 32-bit calls',
      action: ['ia32module', MODULE, 'dummy'],
      reports: { kernel: MODULE_CALLS },
      lacks: { newest: `${MODULE}: No such file or directory` },
    },
    {
      title: 'no modules, by 32-bit calls: the kernel refuses them',
      action: ['ia32nomodule'],
      reports: { kernel: MODULE_CALLS },
    },
  ],
};
