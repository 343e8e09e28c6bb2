/**
 * The policy of `run`: what the command and its descendants do, by raw tracepoints. Every hook tests one bit of the
 * process, so other processes are not reported. Pure.
 */
import {
  AT_FDCWD,
  COMPAT_CALLS,
  OPEN_CALLS,
  OTHER_CALLS,
  PAIR_AT_CALLS,
  PAIR_CALLS,
  PATH_AT_CALLS,
  PATH_CALLS,
} from './observed-calls.js';
import { SECRET_BEGINNINGS, SECRET_ENDS } from '../generalize/secrets.js';

export const POLICY_NAME = 'polytrace-run';

export interface RunPolicyOptions {
  /** The part of each selector that says whose calls are reported, such as `matchPIDs`. Without members: everybody's. */
  readonly who: Readonly<Record<string, unknown>>;
  /** Further members of the specification, such as `containerSelector`. */
  readonly scope?: Readonly<Record<string, unknown>>;
  /** Further hooks. */
  readonly tracepoints?: readonly object[];
  readonly kprobes?: readonly object[];
  /** Files in this folder are not reported, except for secrets. Undefined: all files are. */
  readonly folder: string | undefined;
  /** Folders with programs and libraries, whose reads are not reported. */
  readonly programs: readonly string[];
}

/** Selects a process and all that it starts. */
export function followProcess(pid: number): Readonly<Record<string, unknown>> {
  return { matchPIDs: [{ operator: 'In', followForks: true, values: [pid] }] };
}

/** Names of the hooks, as the message of their events. */
export const HOOK = {
  program: 'program',
  open: 'open',
  path: 'path',
  pair: 'pair',
  pathAt: 'path at',
  pairAt: 'pair at',
  call: 'call',
  state: 'socket',
  sent: 'sent',
  received: 'received',
  packet: 'packet',
  answer: 'answer',
} as const;

export type Filter = Readonly<Record<string, unknown>>;
interface Selector {
  readonly matchArgs: readonly Filter[];
}

/** Access for writing, or the creation or shortening of a file: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC. */
export const WRITE_FLAGS = 0x243;

const SYSTEM_FOLDERS = [
  '/usr/', '/lib/', '/lib64/', '/lib32/', '/bin/', '/sbin/', '/nix/store/', '/dev/', '/sys/', '/proc/', '/etc/ld.so.',
]; // prettier-ignore
/** Files that every program writes to. */
export const WRITE_NOISE = ['/dev/null', '/dev/tty', '/dev/pts/', '/dev/ptmx', '/dev/shm/', '/dev/full'];

export const register = (name: string, type: string): Filter => ({ index: 0, source: 'pt_regs', resolve: name, type });
export const param = (index: number, type: string): Filter => ({ index, type });
export const FOLDER = { index: 0, source: 'current_task', resolve: 'fs.pwd', type: 'path' };
export const NUMBER = register('orig_rax', 'syscall64');
export const RESULT = param(1, 'int64');

export const at = (position: number, operator: string, ...values: readonly string[]): Filter => ({
  args: [position],
  operator,
  values,
});

/** The call is one of these. */
const oneOf = (numbers: readonly number[]): Filter => at(0, 'InMap', ...numbers.map(String));
const SUCCEEDED = at(1, 'GreaterThan', '-1');

export function runPolicy(options: RunPolicyOptions): string {
  const { who, scope = {}, kprobes = [] } = options;
  const hook = (
    subsystem: string,
    event: string,
    message: string,
    args: readonly Filter[],
    selectors: readonly Selector[],
  ): object => ({
    subsystem,
    event,
    raw: true,
    optional: true,
    message,
    args,
    selectors: selectors.map(({ matchArgs }) => ({ ...who, ...(matchArgs.length === 0 ? {} : { matchArgs }) })),
  });
  const callHook = (message: string, args: readonly Filter[], selectors: readonly Selector[]): object =>
    hook('raw_syscalls', 'sys_exit', message, args, selectors);
  const sockets = [at(0, 'Family', 'AF_INET', 'AF_INET6')];
  const bytes = [param(0, 'sock'), param(1, 'int32')];
  const spec = {
    ...scope,
    ...(kprobes.length === 0 ? {} : { kprobes }),
    tracepoints: [
      ...(options.tracepoints ?? []),
      hook('sched', 'sched_process_exec', HOOK.program, [param(2, 'linux_binprm')], [{ matchArgs: [] }]),
      callHook(HOOK.open, OPEN_ARGS, openSelectors(options)),
      callHook(HOOK.path, PATH_ARGS, pathSelectors(options)),
      callHook(HOOK.pair, PATH_ARGS, [succeeded(Object.values(PAIR_CALLS))]),
      callHook(HOOK.pathAt, PATH_AT_ARGS, pathAtSelectors(options)),
      callHook(HOOK.pairAt, PAIR_AT_ARGS, [succeeded(Object.values(PAIR_AT_CALLS))]),
      callHook(HOOK.call, CALL_ARGS, callSelectors()),
      callHook(HOOK.answer, ANSWER_ARGS, ANSWER_SELECTORS),
      hook('sock', 'inet_sock_set_state', HOOK.state, [param(0, 'sock'), param(1, 'int32'), param(2, 'int32')], [
        { matchArgs: [at(2, 'Equal', '2', '10')] },
      ]),
      hook('sock', 'sock_send_length', HOOK.sent, bytes, [{ matchArgs: [...sockets, at(1, 'GreaterThan', '0')] }]),
      hook('sock', 'sock_recv_length', HOOK.received, bytes, [{ matchArgs: [...sockets, at(1, 'GreaterThan', '0')] }]),
      hook('net', 'net_dev_queue', HOOK.packet, PACKET_ARGS, [
        { matchArgs: [at(0, 'Protocol', 'IPPROTO_UDP'), at(0, 'DPort', '53')] },
      ]),
    ],
  }; // prettier-ignore
  const policy = { apiVersion: 'cilium.io/v1alpha1', kind: 'TracingPolicy', metadata: { name: POLICY_NAME }, spec };
  return JSON.stringify(policy);
}

/** Number, file of the returned descriptor, flags of open, flags of openat, flags in the memory of openat2. */
export const OPEN_ARGS = [
  NUMBER,
  param(1, 'fd'),
  register('rsi', 'uint64'),
  register('rdx', 'uint64'),
  register('rdx', 'string'),
];

function openSelectors({ folder, programs }: RunPolicyOptions): Selector[] {
  const { open, creat, openat, openat2, openByHandle } = OPEN_CALLS;
  const opens = oneOf(Object.values(OPEN_CALLS));
  const flags = String(WRITE_FLAGS);
  const outside = folder === undefined ? [] : [`${folder}/`];
  const otherThan = folder === undefined ? [] : [at(1, 'NotEqual', folder)];
  const written = [at(1, 'NotPrefix', ...outside, ...WRITE_NOISE), ...otherThan];
  return [
    { matchArgs: [opens, at(1, 'Postfix', ...SECRET_ENDS)] },
    { matchArgs: [opens, at(1, 'Prefix', ...SECRET_BEGINNINGS)] },
    { matchArgs: [opens, at(1, 'Prefix', '/proc/'), at(1, 'Postfix', '/environ', '/mem')] },
    // the flags of openat2 are in memory: whoever reads the event decides
    { matchArgs: [oneOf([creat, openat2]), ...written] },
    { matchArgs: [oneOf([openat, openByHandle]), at(3, 'Mask', flags), ...written] },
    { matchArgs: [oneOf([open]), at(2, 'Mask', flags), ...written] },
    // the selectors above have taken what is written
    { matchArgs: [opens, ...outsideFiles(1, { folder, programs })] },
  ];
}

/** Files outside of the working folder and of the system's programs. */
export function outsideFiles(
  position: number,
  { folder, programs }: Pick<RunPolicyOptions, 'folder' | 'programs'>,
): Filter[] {
  const outside = folder === undefined ? [] : [`${folder}/`];
  const otherThan = folder === undefined ? [] : [at(position, 'NotEqual', folder)];
  return [at(position, 'NotPrefix', ...outside, ...SYSTEM_FOLDERS, ...programs), ...otherThan];
}

/** Number, result, first path, second path, mode of chmod, working folder. */
export const PATH_ARGS = [
  NUMBER,
  RESULT,
  register('rdi', 'string'),
  register('rsi', 'string'),
  register('rsi', 'uint64'),
  FOLDER,
];

/** Calls with two paths are few: whoever reads the event decides. Filters on both would double the time that the kernel checks. */
const succeeded = (calls: readonly number[]): Selector => ({ matchArgs: [SUCCEEDED, oneOf(calls)] });

function pathSelectors({ folder }: RunPolicyOptions): Selector[] {
  const { matchArgs } = succeeded(Object.values(PATH_CALLS));
  return outsidePaths(2, 5, folder).map((path) => ({ matchArgs: [...matchArgs, ...path] }));
}

/** The filters of a path that may be outside of the folder, absolute or relative to the working folder. */
function outsidePaths(path: number, workingFolder: number, folder: string | undefined): Filter[][] {
  if (folder === undefined) return [[]];
  return [
    [at(path, 'Prefix', '/'), at(path, 'NotPrefix', `${folder}/`)],
    [at(path, 'SubString', '..')],
    [at(path, 'NotPrefix', '/'), at(workingFolder, 'NotPrefix', `${folder}/`), at(workingFolder, 'NotEqual', folder)],
  ];
}

/** Number, result, folder of the first path, the same as a number, first path, mode or second folder, second path, working folder. */
export const PATH_AT_ARGS = [
  NUMBER,
  RESULT,
  register('edi', 'int32'),
  register('rdi', 'fd'),
  register('rsi', 'string'),
  register('rdx', 'uint64'),
  register('r10', 'string'),
  FOLDER,
];

/** Number, result, folder of the first path, first path, folder of the second path, second path, working folder. */
const PAIR_AT_ARGS = [
  NUMBER,
  RESULT,
  register('rdi', 'fd'),
  register('rsi', 'string'),
  register('rdx', 'fd'),
  register('r10', 'string'),
  FOLDER,
];

function pathAtSelectors({ folder }: RunPolicyOptions): Selector[] {
  const { matchArgs } = succeeded(Object.values(PATH_AT_CALLS));
  if (folder === undefined) return [{ matchArgs }];
  const [absolute = [], upwards = [], outside = []] = outsidePaths(4, 7, folder);
  const otherFolder = [at(4, 'NotPrefix', '/'), at(3, 'NotPrefix', `${folder}/`), at(3, 'NotEqual', folder)];
  return [absolute, upwards, [at(2, 'Equal', String(AT_FDCWD)), ...outside], otherFolder].map((path) => ({
    matchArgs: [...matchArgs, ...path],
  }));
}

/** Number, result, and the arguments as numbers and as strings. */
const CALL_ARGS = [
  NUMBER,
  RESULT,
  register('rdi', 'uint64'),
  register('rsi', 'uint64'),
  register('rdx', 'uint64'),
  register('rdi', 'string'),
  register('rsi', 'string'),
  register('rdx', 'string'),
];

function callSelectors(): Selector[] {
  return [{ matchArgs: [oneOf([...Object.values(OTHER_CALLS), ...COMPAT_CALLS])] }];
}

/** The packet, and its bytes from the header of its link on. */
const PACKET_ARGS = [param(0, 'skb'), { index: 0, type: 'char_buf', resolve: 'data', btfType: 'sk_buff' }];

/** recvfrom: its result, and the bytes that it has written. */
const ANSWER_ARGS = [NUMBER, RESULT, { ...register('rsi', 'char_buf'), sizeArgIndex: 2 }];
/** The sizes of answers; what is no answer is dropped when it is decoded. */
const ANSWER_SELECTORS: readonly Selector[] = [{ matchArgs: [at(0, 'Equal', '45'), at(1, 'InRange', '28:1232')] }];
