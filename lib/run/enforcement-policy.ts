/**
 * The policy of `enforce`: functions of the kernel return EACCES or EPERM before a call that is not allowed has an effect. They
 * are reached by every way to the operation: system calls of 64 and 32 bits, and io_uring. Pure.
 */
import { FOLDER, WRITE_FLAGS, WRITE_NOISE } from './policy.js';
import { filterValues, type Filter } from '../generalize/policy-text.js';
import type { PathPattern } from './lock-facts.js';
import type { AllowedAddresses } from './hosts.js';
import type { Mounts } from './mounts.js';
import type { Permissions } from './rules.js';
import { OWN_SETTINGS, SECRET_BEGINNINGS, SECRET_ENDS } from '../generalize/secrets.js';
import { deniedEndpoints } from './endpoints.js';
import { FUNCTION_ARGS } from './functions.js';

export const ENFORCEMENT_POLICY = 'polytrace-run-enforcement';
/** Set on processes that are executed in the folder of a package, and on all that they start. */
const PACKAGE_MARK = 'package';
/** Parts of the working folder of a script of a package, for npm and others, pip and cargo. */
const PACKAGE_FOLDERS = [
  '/node_modules/', '/pip-install-', '/pip-req-build-', '/pip-wheel-', '/pip-build-', '/.cargo/registry/',
]; // prettier-ignore

const EPERM = -1;
const EACCES = -13;

/** One of these filters holds: all of its filters do. */
export type Alternatives = readonly (readonly Filter[])[];

/** A kind of operation that can be refused. */
export interface Refusal {
  readonly call: string;
  readonly args: readonly object[];
  readonly error: number;
  /** The calls that a process with these permissions may not make; empty if it may make all. */
  readonly denied: (permissions: Connected, isPackage: boolean) => Alternatives;
  /** An expression that must hold, too. */
  readonly condition?: string;
}

/** Permissions with the addresses of their hosts. */
export interface Connected extends Permissions {
  readonly connectsTo?: readonly AllowedAddresses[];
  readonly listensAt?: readonly AllowedAddresses[];
}

export interface EnforcementPolicyOptions {
  readonly pid: number;
  readonly all: Connected;
  readonly packages: Connected;
  /** False if the command itself runs in such a folder: then nothing tells a package from it. */
  readonly hasPackages: boolean;
  readonly mounts: Mounts;
}

const EVERY_CALL: Alternatives = [[]];
const NO_CALL: Alternatives = [];

/** The filters that hold for a path which no pattern has. */
export function otherThan(position: number, patterns: readonly PathPattern[], more: readonly string[] = []): Filter[] {
  const prefixes = patterns.filter(({ isPrefix }) => isPrefix).map(({ path }) => path || '/');
  const paths = patterns.filter(({ isPrefix }) => !isPrefix).map(({ path }) => path);
  return [...filterValues(position, 'NotPrefix', [...prefixes, ...more]), ...filterValues(position, 'NotEqual', paths)];
}

/** The folders that are allowed with all that is in them, without the slash at their end. */
const allowedFolders = (patterns: readonly PathPattern[]): string[] =>
  patterns.filter(({ path, isPrefix }) => isPrefix && path.endsWith('/')).map(({ path }) => path.slice(0, -1) || '/');

/** The same patterns, and their paths in their file systems: so are names of dentries. */
function asDentries(patterns: readonly PathPattern[], mounts: Mounts): PathPattern[] {
  return patterns.flatMap((pattern) => {
    const folder = pattern.path.endsWith('/');
    const within = mounts.inFileSystem(folder ? pattern.path.slice(0, -1) || '/' : pattern.path);
    if (within === undefined) return [pattern];
    // all of a file system: its folders are compared
    if (within === '/') return [pattern];
    return [pattern, { ...pattern, path: folder ? `${within}/` : within }];
  });
}

/** A name in a folder, neither of which is allowed. */
function otherNames(folder: number, name: number, patterns: readonly PathPattern[], mounts: Mounts): Filter[] {
  const folders = allowedFolders(patterns);
  return [
    ...filterValues(folder, 'NotPrefix', folders.map((path) => (path === '/' ? path : `${path}/`))),
    ...filterValues(folder, 'NotEqual', folders),
    ...otherThan(name, asDentries(patterns, mounts)),
  ]; // prettier-ignore
}

/** A link to a file: only its name in the file system is known, and a link never leaves its mount. */
function otherTargets(patterns: readonly PathPattern[], mounts: Mounts): Filter[] {
  const whole = allowedFolders(patterns).filter((path) => mounts.inFileSystem(path) === '/');
  return [
    ...otherThan(0, asDentries(patterns, mounts)),
    ...filterValues(1, 'NotPrefix', whole.map((path) => `${path}/`)),
    ...filterValues(1, 'NotEqual', whole),
  ]; // prettier-ignore
}

const SOCKET_FAMILIES = filterValues(0, 'Family', ['AF_INET', 'AF_INET6']);
/** Port 0 is no connection: resolvers ask with it for the own address. */
const NO_PORT = filterValues(0, 'NotSPort', ['0']);

function refusals(mounts: Mounts): Refusal[] {
  const inFolder = (call: string): Refusal => ({
    call,
    args: FUNCTION_ARGS.name,
    error: EACCES,
    denied: ({ writes }) => (writes === undefined ? NO_CALL : [otherNames(0, 1, writes, mounts)]),
  });
  const ofFile = (call: string): Refusal => ({
    call,
    args: FUNCTION_ARGS.path,
    error: EACCES,
    denied: ({ writes }) => (writes === undefined ? NO_CALL : [otherThan(0, writes, WRITE_NOISE)]),
  });
  const simple = (call: string, may: (permissions: Connected) => boolean): Refusal => ({
    call,
    args: [],
    error: EPERM,
    denied: (permissions) => (may(permissions) ? NO_CALL : EVERY_CALL),
  });
  const connection = (call: string, address: object): Refusal => ({
    call,
    args: [address],
    error: EACCES,
    denied: ({ connectsTo }) =>
      connectsTo === undefined
        ? NO_CALL
        : deniedEndpoints(connectsTo, ['SPort', 'SAddr'], [...SOCKET_FAMILIES, ...NO_PORT]),
  });
  return [
    {
      call: 'security_file_open',
      args: FUNCTION_ARGS.file_open,
      error: EACCES,
      denied: ({ writes, secrets }, isPackage) => [
        ...(writes === undefined
          ? []
          : [[...filterValues(1, 'Mask', [String(WRITE_FLAGS)]), ...otherThan(0, writes, WRITE_NOISE)]]),
        ...(secrets === undefined ? [] : deniedSecrets(secrets, isPackage)),
      ],
    },
    ...['mknod', 'mkdir', 'rmdir', 'unlink', 'symlink'].map((name) => inFolder(`security_path_${name}`)),
    ...['truncate', 'chmod', 'chown'].map((name) => ofFile(`security_path_${name}`)),
    {
      call: 'security_path_rename',
      args: FUNCTION_ARGS.path_rename,
      error: EACCES,
      denied: ({ writes }) =>
        writes === undefined ? NO_CALL : [otherNames(0, 1, writes, mounts), otherNames(2, 3, writes, mounts)],
    },
    {
      call: 'security_path_link',
      args: FUNCTION_ARGS.path_link,
      error: EACCES,
      denied: ({ writes }) =>
        writes === undefined ? NO_CALL : [otherNames(1, 2, writes, mounts), otherTargets(writes, mounts)],
    },
    {
      // the program itself: a script has passed, and its interpreter is compared
      call: 'security_bprm_creds_from_file',
      args: [{ index: 0, type: 'linux_binprm' }],
      error: EACCES,
      denied: ({ execs }) => (execs === undefined ? NO_CALL : [otherThan(0, execs)]),
    },
    connection('security_socket_connect', { index: 1, type: 'sockaddr' }),
    connection('security_socket_sendmsg', { index: 1, type: 'sockaddr', resolve: 'msg_name' }),
    {
      call: 'security_socket_listen',
      args: [{ index: 0, type: 'socket' }],
      error: EACCES,
      denied: ({ listensAt }) =>
        listensAt === undefined ? NO_CALL : deniedEndpoints(listensAt, ['SPort', 'SAddr'], SOCKET_FAMILIES),
    },
    {
      call: 'security_ptrace_access_check',
      args: FUNCTION_ARGS.ptrace_access_check,
      error: EPERM,
      // PTRACE_MODE_ATTACH; a package may not read of others either
      denied: ({ memory }, isPackage) => (memory ? NO_CALL : [filterValues(1, 'Mask', [isPackage ? '3' : '2'])]),
      // PTRACE_MODE_NOAUDIT: what is not allowed is left out, as in /proc/PID/stat
      condition: 'arg1 & 4 == 0',
    },
    simple('security_bpf', ({ kernel }) => kernel),
    simple('security_kernel_load_data', ({ kernel }) => kernel),
    simple('security_kernel_read_file', ({ kernel }) => kernel),
    simple('security_perf_event_open', ({ kernel }) => kernel),
    simple('security_sb_mount', ({ mounts: may }) => may),
    simple('security_move_mount', ({ mounts: may }) => may),
    simple('security_sb_kern_mount', ({ mounts: may }) => may),
    simple('security_sb_pivotroot', ({ mounts: may }) => may),
    simple('security_path_chroot', ({ mounts: may }) => may),
    simple('security_create_user_ns', ({ users }) => users),
  ];
}

/** The command, such as a package manager, reads its own settings. */
export function deniedSecrets(allowed: readonly PathPattern[], isPackage: boolean, position = 0): Alternatives {
  const kept = otherThan(position, allowed);
  const list = isPackage ? SECRET_ENDS : SECRET_ENDS.filter((end) => !OWN_SETTINGS.includes(end));
  return [
    [...filterValues(position, 'Postfix', list), ...kept],
    [...filterValues(position, 'Prefix', SECRET_BEGINNINGS), ...kept],
  ];
}

const toArg = ({ position, operator, values }: Filter): object => ({ args: [position], operator, values });

/** Packages and the command have selectors of their own, where they differ. */
export function classSelectors(
  { pid, all, packages, hasPackages }: Omit<EnforcementPolicyOptions, 'mounts'>,
  { denied, condition }: Pick<Refusal, 'denied' | 'condition'>,
  actions: readonly object[],
): object[] {
  const matchPIDs = [{ operator: 'In', followForks: true, values: [pid] }];
  const forAll = denied(all, false);
  const forPackages = hasPackages ? denied(packages, true) : NO_CALL;
  const known = new Set(forAll.map((filters) => JSON.stringify(filters)));
  const make = (filters: readonly Filter[], more: object): object => ({
    matchPIDs,
    ...more,
    ...(filters.length === 0 ? {} : { matchArgs: filters.map(toArg) }),
    ...(condition === undefined ? {} : { matchCEL: { expr: condition } }),
    matchActions: actions,
  });
  return [
    ...forPackages
      .filter((filters) => !known.has(JSON.stringify(filters)))
      .map((filters) => make(filters, { matchMarks: [{ operator: 'In', values: [PACKAGE_MARK] }] })),
    ...forAll.map((filters) => make(filters, {})),
  ];
}

/** Functions that not every kernel has. Without one of the others, nothing is enforced, and the command does not start. */
const isOptional = (call: string): boolean => call.startsWith('security_path_') || NEWER.includes(call);
const NEWER = [
  'security_create_user_ns', 'security_kernel_load_data', 'security_move_mount', 'security_perf_event_open',
]; // prettier-ignore

export function enforcementPolicy(options: EnforcementPolicyOptions): string {
  const hooks = refusals(options.mounts).flatMap((refusal) => {
    const actions = [{ action: 'Override', argError: refusal.error }];
    const selectors = classSelectors(options, refusal, actions);
    if (selectors.length === 0) return [];
    const { call, args } = refusal;
    return [
      {
        call,
        syscall: false,
        ...(isOptional(call) ? { optional: true } : {}),
        ...(args.length === 0 ? {} : { args }),
        selectors,
      },
    ];
  });
  const spec = { kprobes: [...(options.hasPackages ? [markHook(options.pid)] : []), ...hooks] };
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: ENFORCEMENT_POLICY },
    spec,
  });
}

/** A process that is executed in the folder of a package belongs to it, with all that it starts. */
function markHook(pid: number): object {
  return {
    call: 'security_bprm_check',
    syscall: false,
    args: [FOLDER],
    selectors: markSelectors(pid, 0),
  };
}

export function markSelectors(pid: number, position: number): object[] {
  return [
    {
      matchPIDs: [{ operator: 'In', followForks: true, values: [pid] }],
      matchArgs: [{ args: [position], operator: 'SubString', values: PACKAGE_FOLDERS }],
      matchActions: [{ action: 'Mark', mark: PACKAGE_MARK }, { action: 'NoPost' }],
    },
  ];
}

/** True if the folder is that of a package. A command that runs there counts as the package itself. */
export function isPackageFolder(folder: string): boolean {
  return PACKAGE_FOLDERS.some((part) => `${folder}/`.includes(part));
}
