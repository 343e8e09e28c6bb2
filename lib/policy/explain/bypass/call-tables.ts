/** Tables of the kernel: ways to an operation that do not pass the function of its system call. */

/** The operations of io_uring that do the work of a system call: the function that runs them, and what sees both. */
interface RingOperation {
  /** Function of the kernel (io_uring/opdef.c). A kernel without it does not have the operation. */
  readonly run: string;
  /** Function that the system call and io_uring both call. Absent if there is none. */
  readonly both?: string;
}

const opened: RingOperation = { run: 'io_openat2', both: 'security_file_open' };
const read: RingOperation = { run: 'io_read', both: 'security_file_permission' };
const write: RingOperation = { run: 'io_write', both: 'security_file_permission' };
const renamed: RingOperation = { run: 'io_renameat', both: 'security_path_rename' };

/** By name of the system call, without `sys_`. */
export const RING_OPERATIONS: ReadonlyMap<string, RingOperation> = new Map(
  Object.entries({
    accept: { run: 'io_accept', both: 'security_socket_accept' },
    accept4: { run: 'io_accept', both: 'security_socket_accept' },
    bind: { run: 'io_bind', both: 'security_socket_bind' },
    close: { run: 'io_close' },
    connect: { run: 'io_connect', both: 'security_socket_connect' },
    epoll_ctl: { run: 'io_epoll_ctl' },
    fallocate: { run: 'io_fallocate', both: 'security_file_permission' },
    fsetxattr: { run: 'io_fsetxattr', both: 'security_inode_setxattr' },
    fsync: { run: 'io_fsync' },
    ftruncate: { run: 'io_ftruncate', both: 'security_file_truncate' },
    getxattr: { run: 'io_getxattr', both: 'security_inode_getxattr' },
    linkat: { run: 'io_linkat', both: 'security_path_link' },
    listen: { run: 'io_listen', both: 'security_socket_listen' },
    madvise: { run: 'io_madvise' },
    mkdirat: { run: 'io_mkdirat', both: 'security_path_mkdir' },
    openat: opened,
    openat2: opened,
    pread64: read,
    preadv: read,
    preadv2: read,
    pwrite64: write,
    pwritev: write,
    pwritev2: write,
    read,
    readv: read,
    recvfrom: { run: 'io_recv', both: 'security_socket_recvmsg' },
    recvmsg: { run: 'io_recvmsg', both: 'security_socket_recvmsg' },
    renameat: renamed,
    renameat2: renamed,
    sendmsg: { run: 'io_sendmsg', both: 'security_socket_sendmsg' },
    sendto: { run: 'io_send', both: 'security_socket_sendmsg' },
    setxattr: { run: 'io_setxattr', both: 'security_inode_setxattr' },
    shutdown: { run: 'io_shutdown', both: 'security_socket_shutdown' },
    socket: { run: 'io_socket', both: 'security_socket_create' },
    splice: { run: 'io_splice', both: 'security_file_permission' },
    statx: { run: 'io_statx', both: 'security_inode_getattr' },
    symlinkat: { run: 'io_symlinkat', both: 'security_path_symlink' },
    tee: { run: 'io_tee' },
    unlinkat: { run: 'io_unlinkat', both: 'security_path_unlink' },
    waitid: { run: 'io_waitid' },
    write,
    writev: write,
  } satisfies Readonly<Record<string, RingOperation>>),
);

const SOCKET_CALLS = ['accept', 'accept4', 'bind', 'connect', 'listen', 'recvfrom', 'recvmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown', 'socket']; // prettier-ignore
const ID_CALLS = ['chown', 'fchown', 'lchown', 'setfsgid', 'setfsuid', 'setgid', 'setgroups', 'setregid', 'setresgid', 'setresuid', 'setreuid', 'setuid']; // prettier-ignore
const SPLIT_CALLS = ['fallocate', 'ftruncate64', 'pread64', 'pwrite64', 'truncate64'];

/** By name of the system call: other calls of 32-bit programs for the same (arch/x86/entry/syscalls/syscall_32.tbl). */
export const OTHER_IA32_CALLS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ...SOCKET_CALLS.map((call) => [call, ['socketcall']] as const),
  ...ID_CALLS.map((call) => [call, [`${call}16`]] as const),
  ...SPLIT_CALLS.map((call) => [call, [`ia32_${call}`]] as const),
  ['clone', ['ia32_clone']],
  ['fcntl', ['fcntl64']],
  ['ftruncate', ['ia32_ftruncate64']],
  ['mmap', ['mmap_pgoff', 'ia32_mmap']],
  ['truncate', ['ia32_truncate64']],
]);

/** Functions that see the beginning of a use: an open file, a mapping or a connection from before is not seen again. */
export const BEGINNINGS: ReadonlySet<string> = new Set([
  'do_filp_open',
  'inet_csk_accept',
  'security_file_open',
  'security_mmap_file',
  'security_socket_accept',
  'security_socket_bind',
  'security_socket_connect',
  'sys_accept',
  'sys_accept4',
  'sys_bind',
  'sys_connect',
  'sys_mmap',
  'sys_open',
  'sys_openat',
  'sys_openat2',
  'tcp_connect',
  'tcp_v4_connect',
  'tcp_v6_connect',
  'vfs_open',
]);

/** Functions whose paths are not those of a file that is used: a link or a rename of it is what they report. */
export const NAME_FUNCTION =
  /^(security_(path|inode)_(link|rename|unlink|rmdir|mkdir|mknod|symlink|create|chroot)|security_(sb_|move_mount)|__do_loopback$|clone_private_mount$|vfs_(link|rename|unlink)|(__\w+_|i386\/)?sys_)/;
