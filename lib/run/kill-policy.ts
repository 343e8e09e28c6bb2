/**
 * The policy of `enforce` for kernels that cannot refuse calls: a process is killed right after a call that is not allowed, by raw
 * tracepoints. The call has then happened. Pure.
 */
import {
  classSelectors,
  deniedSecrets,
  ENFORCEMENT_POLICY,
  markSelectors,
  otherThan,
  type Alternatives,
  type Connected,
  type EnforcementPolicyOptions,
} from './enforcement-policy.js';
import type { Filter } from '../generalize/policy-text.js';
import { deniedEndpoints } from './endpoints.js';
import {
  COMPAT_CALLS,
  OPEN_CALLS,
  OTHER_CALLS,
  PAIR_AT_CALLS,
  PAIR_CALLS,
  PATH_AT_CALLS,
  PATH_CALLS,
} from './observed-calls.js';
import {
  FOLDER,
  NUMBER,
  OPEN_ARGS,
  param,
  PATH_ARGS,
  PATH_AT_ARGS,
  register,
  RESULT,
  WRITE_FLAGS,
  WRITE_NOISE,
} from './policy.js';

/** Requests of ptrace(2): PTRACE_ATTACH, PTRACE_SEIZE. */
const ATTACH = ['16', '0x4206'];
const CLONE_NEWUSER = '0x10000000';

interface KillHook {
  readonly subsystem: string;
  readonly event: string;
  readonly args: readonly object[];
  readonly denied: (permissions: Connected, isPackage: boolean) => Alternatives;
}

const filter = (position: number, operator: string, ...values: readonly string[]): Filter => ({
  position,
  operator,
  values,
});
const oneOf = (...calls: readonly number[]): Filter => filter(0, 'InMap', ...calls.map(String));
const FAMILIES = filter(0, 'Family', 'AF_INET', 'AF_INET6');

/** Positions in the values of `PATH_ARGS` and `PATH_AT_ARGS`: a path, and the folder that it begins in. */
function otherNames({ writes }: Connected, calls: Filter, path: number, folder: number): Filter[][] {
  if (writes === undefined) return [];
  const succeeded = [filter(1, 'GreaterThan', '-1'), calls];
  const isRelative = filter(path, 'NotPrefix', '/');
  const folders = writes.filter((each) => each.isPrefix && each.path.endsWith('/')).map((each) => each.path);
  const outside = folders.length === 0 ? [] : [
    filter(folder, 'NotPrefix', ...folders),
    filter(folder, 'NotEqual', ...folders.map((each) => each.slice(0, -1) || '/')),
  ]; // prettier-ignore
  return [
    [...succeeded, filter(path, 'Prefix', '/'), ...otherThan(path, writes, WRITE_NOISE)],
    [...succeeded, isRelative, ...outside],
  ];
}

function killHooks(): KillHook[] {
  const call = (args: readonly object[], denied: KillHook['denied']): KillHook => ({
    subsystem: 'raw_syscalls',
    event: 'sys_exit',
    args,
    denied,
  });
  const { rename, link } = PAIR_CALLS;
  const { creat, open, openat, openat2, openByHandle } = OPEN_CALLS;
  const flags = String(WRITE_FLAGS);
  return [
    call(OPEN_ARGS, ({ writes, secrets }, isPackage) => [
      ...(secrets === undefined
        ? []
        : deniedSecrets(secrets, isPackage, 1).map((filters) => [oneOf(...Object.values(OPEN_CALLS)), ...filters])),
      ...(writes === undefined
        ? []
        : [
            [oneOf(creat)],
            [oneOf(openat, openByHandle), filter(3, 'Mask', flags)],
            [oneOf(open), filter(2, 'Mask', flags)],
          ].map((filters) => [...filters, ...otherThan(1, writes, WRITE_NOISE)])),
      // its flags are in memory that another thread can change
      ...(writes === undefined ? [] : [[oneOf(openat2), ...otherThan(1, [...writes, ...READABLE], WRITE_NOISE)]]),
    ]),
    call(PATH_ARGS, (permissions) => [
      ...otherNames(permissions, oneOf(...Object.values(PATH_CALLS), rename, link), 2, 5),
      ...otherNames(permissions, oneOf(...Object.values(PAIR_CALLS)), 3, 5),
    ]),
    call(PATH_AT_ARGS, (permissions) => [
      ...otherNames(permissions, oneOf(...Object.values(PATH_AT_CALLS), ...Object.values(PAIR_AT_CALLS)), 4, 7).slice(
        0,
        1,
      ),
      ...otherNames(permissions, oneOf(...Object.values(PAIR_AT_CALLS)), 6, 7).slice(0, 1),
    ]),
    call([NUMBER, RESULT, register('rdi', 'uint64'), FOLDER], deniedCalls),
    {
      subsystem: 'sched',
      event: 'sched_process_exec',
      args: [param(2, 'linux_binprm')],
      denied: ({ execs }) => (execs === undefined ? [] : [otherThan(0, execs)]),
    },
    {
      subsystem: 'sock',
      event: 'inet_sock_set_state',
      args: [param(0, 'sock'), param(2, 'int32')],
      denied: ({ connectsTo, listensAt }) => [
        ...(connectsTo === undefined
          ? []
          : deniedEndpoints(connectsTo, ['DPort', 'DAddr'], [FAMILIES, filter(1, 'Equal', '2')])),
        ...(listensAt === undefined
          ? []
          : deniedEndpoints(listensAt, ['SPort', 'SAddr'], [FAMILIES, filter(1, 'Equal', '10')])),
      ],
    },
    {
      subsystem: 'sock',
      event: 'sock_send_length',
      args: [param(0, 'sock'), param(1, 'int32')],
      denied: ({ connectsTo }) =>
        connectsTo === undefined
          ? []
          : deniedEndpoints(
              connectsTo,
              ['DPort', 'DAddr'],
              [FAMILIES, filter(0, 'Protocol', 'IPPROTO_UDP'), filter(0, 'NotDPort', '0')],
            ),
    },
  ];
}

/** openat2 that only reads is ordinary in the folders of programs and of the system. */
const READABLE = ['/usr/', '/etc/', '/lib/', '/proc/', '/sys/', '/dev/', '/bin/', '/sbin/', '/lib64/'].map((path) => ({
  path,
  isPrefix: true,
}));

/** Ways around the other rules: none of them is needed by an installation. */
function deniedCalls({ memory, kernel, mounts, users }: Connected): Alternatives {
  const { ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, unshare, io_uring_setup } = OTHER_CALLS;
  const { mount, move_mount, pivot_root, chroot, open_tree } = OTHER_CALLS;
  const { bpf, init_module, finit_module, kexec_load, kexec_file_load, perf_event_open } = OTHER_CALLS;
  return [
    [oneOf(io_uring_setup, ...COMPAT_CALLS)],
    ...(memory
      ? []
      : [[oneOf(process_vm_readv, process_vm_writev, pidfd_getfd)], [oneOf(ptrace), filter(2, 'InMap', ...ATTACH)]]),
    ...(kernel ? [] : [[oneOf(bpf, init_module, finit_module, kexec_load, kexec_file_load, perf_event_open)]]),
    ...(mounts ? [] : [[oneOf(mount, move_mount, pivot_root, chroot, open_tree)]]),
    ...(users ? [] : [[oneOf(unshare), filter(2, 'Mask', CLONE_NEWUSER)]]),
  ];
}

export function killPolicy(options: EnforcementPolicyOptions): string {
  const actions = [{ action: 'Sigkill' }];
  const mark = {
    subsystem: 'sched',
    event: 'sched_process_exec',
    args: [FOLDER],
    selectors: markSelectors(options.pid, 0),
  };
  const hooks = killHooks().flatMap(({ denied, ...hook }) => {
    const selectors = classSelectors(options, { denied }, actions);
    return selectors.length === 0 ? [] : [{ ...hook, selectors }];
  });
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: ENFORCEMENT_POLICY },
    spec: {
      tracepoints: [...(options.hasPackages ? [mark] : []), ...hooks].map((hook) => ({
        raw: true,
        optional: true,
        ...hook,
      })),
    },
  });
}
