/** Describes calls of functions of the kernel: those that were refused, and those that came by other ways than system calls. Pure. */
import { basename, join } from 'node:path/posix';
import type { HookArgument } from '../../types/index.js';
import type { BehaviorKind } from '../../types/run.js';
import { WRITE_FLAGS } from './policy.js';
import { readName, readNumber } from './values.js';

const FOLDER = { index: 0, type: 'path' };
const NAME = { index: 1, type: 'dentry' };

/** The arguments that policies of `run` ask for, in the order in which `describeFunction` reads them. */
export const FUNCTION_ARGS = {
  file_open: [
    { index: 0, type: 'file' },
    { index: 0, type: 'uint32', resolve: 'f_flags' },
  ],
  /** Functions about one path. */
  path: [FOLDER],
  /** Functions about a name in a folder. */
  name: [FOLDER, NAME],
  path_rename: [FOLDER, NAME, { index: 2, type: 'path' }, { index: 3, type: 'dentry' }],
  path_link: [
    { index: 0, type: 'dentry' },
    { index: 1, type: 'path' },
    { index: 2, type: 'dentry' },
  ],
  ptrace_access_check: [
    { index: 0, type: 'int32', resolve: 'tgid' },
    { index: 1, type: 'uint32' },
  ],
} as const;

/** What a call does. Calls that name something have its path or its address. */
export type DescribedFunction =
  | { readonly what: 'open'; readonly path: string; readonly isWrite: boolean; readonly isRegular: boolean }
  | { readonly what: 'path'; readonly kind: BehaviorKind; readonly path: string; readonly note: string }
  | { readonly what: 'pair'; readonly first: string; readonly second: string; readonly word: string }
  | { readonly what: 'endpoint'; readonly kind: 'connect' | 'listen'; readonly address: string; readonly port: number }
  | { readonly what: 'other'; readonly kind: BehaviorKind; readonly text: string }
  | { readonly what: 'memory'; readonly pid: number; readonly isAttach: boolean };

const PATH_FUNCTIONS: Readonly<Record<string, readonly [BehaviorKind, string]>> = {
  security_path_mknod: ['write', ''],
  security_path_mkdir: ['write', ' (folder)'],
  security_path_symlink: ['write', ' (link)'],
  security_path_rmdir: ['remove', ''],
  security_path_unlink: ['remove', ''],
  security_path_truncate: ['write', ''],
  security_path_chmod: ['mode', ''],
  security_path_chown: ['mode', ' (owner)'],
  security_bprm_creds_from_file: ['exec', ''],
};
const OTHER_FUNCTIONS: Readonly<Record<string, readonly [BehaviorKind, string]>> = {
  security_bpf: ['kernel', 'use BPF'],
  security_kernel_load_data: ['kernel', 'load code into the kernel'],
  security_kernel_read_file: ['kernel', 'load code into the kernel'],
  security_perf_event_open: ['kernel', 'perf_event_open'],
  security_sb_mount: ['mount', 'mount'],
  security_move_mount: ['mount', 'mount'],
  security_sb_kern_mount: ['mount', 'mount'],
  security_sb_pivotroot: ['mount', 'pivot_root'],
  security_path_chroot: ['mount', 'chroot'],
  security_create_user_ns: ['privilege', 'make a user namespace'],
  __x64_sys_io_uring_setup: ['unseen', 'io_uring'],
};
const PTRACE_MODE_ATTACH = 2;

/** Undefined for functions that no policy of `run` hooks. */
export function describeFunction(name: string, args: readonly HookArgument[]): DescribedFunction | undefined {
  const [one, two, three, four] = args;
  const paths = PATH_FUNCTIONS[name];
  if (paths !== undefined) {
    const [kind, note] = paths;
    return { what: 'path', kind, note, path: two?.type === 'dentry' ? nameIn(one, two) : readName(one) };
  }
  const other = OTHER_FUNCTIONS[name];
  if (other !== undefined) return { what: 'other', kind: other[0], text: other[1] };
  switch (name) {
    case 'security_file_open':
      return {
        what: 'open',
        path: readName(one),
        isWrite: (readNumber(two) & WRITE_FLAGS) !== 0,
        isRegular: one !== undefined && 'permission' in one && one.permission.startsWith('-'),
      };
    case 'security_path_rename':
      return { what: 'pair', first: nameIn(one, two), second: nameIn(three, four), word: '→' };
    case 'security_path_link':
      return { what: 'pair', first: readName(one), second: nameIn(two, three), word: 'linked as' };
    case 'security_socket_connect':
    case 'security_socket_sendmsg':
      return one?.type === 'sockaddr'
        ? { what: 'endpoint', kind: 'connect', address: one.address, port: one.port }
        : undefined;
    case 'security_socket_listen':
      return one?.type === 'socket' || one?.type === 'sock'
        ? { what: 'endpoint', kind: 'listen', address: one.sourceAddress, port: one.sourcePort }
        : undefined;
    case 'security_ptrace_access_check':
      return { what: 'memory', pid: readNumber(one), isAttach: (readNumber(two) & PTRACE_MODE_ATTACH) !== 0 };
  }
  return undefined;
}

/** A dentry knows its name, and the folder its mount. */
function nameIn(folder: HookArgument | undefined, name: HookArgument | undefined): string {
  return join(readName(folder), basename(readName(name)));
}
