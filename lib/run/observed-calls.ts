/** The system calls that `run` observes, by their numbers on x86-64, and how their arguments name files. */

/** Calls that open a file. `flags` is the register with the flags; undefined where it has none. */
export const OPEN_CALLS = { open: 2, creat: 85, openat: 257, openat2: 437, openByHandle: 304 } as const;

/** Changes of a file by a path in the first argument. */
export const PATH_CALLS = {
  truncate: 76,
  mkdir: 83,
  rmdir: 84,
  unlink: 87,
  chmod: 90,
  chown: 92,
  lchown: 94,
  mknod: 133,
} as const;

/** The same with paths in the first two arguments. The first path of symlink is only a text. */
export const PAIR_CALLS = { rename: 82, link: 86, symlink: 88 } as const;

/** Changes of a file by a path that a descriptor of a folder comes before. */
export const PATH_AT_CALLS = {
  mkdirat: 258,
  mknodat: 259,
  fchownat: 260,
  unlinkat: 263,
  fchmodat: 268,
  fchmodat2: 452,
} as const;

/** The same with two paths. */
export const PAIR_AT_CALLS = { renameat: 264, linkat: 265, renameat2: 316 } as const;

/** Calls that reach other processes or the kernel. */
export const OTHER_CALLS = {
  kill: 62,
  ptrace: 101,
  setuid: 105,
  setgid: 106,
  setreuid: 113,
  setregid: 114,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  capset: 126,
  pivot_root: 155,
  chroot: 161,
  mount: 165,
  umount2: 166,
  reboot: 169,
  iopl: 172,
  ioperm: 173,
  init_module: 175,
  delete_module: 176,
  kexec_load: 246,
  symlinkat: 266,
  unshare: 272,
  perf_event_open: 298,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  finit_module: 313,
  kexec_file_load: 320,
  bpf: 321,
  pidfd_send_signal: 424,
  io_uring_setup: 425,
  open_tree: 428,
  move_mount: 429,
  fsmount: 432,
  pidfd_getfd: 438,
} as const;

/** Set in the number of a 32-bit call, which has other numbers: execve, open, socketcall, openat, connect. */
export const COMPAT_BIT = 0x8000_0000;
export const COMPAT_CALLS = [11, 5, 102, 295, 362].map((number) => COMPAT_BIT + number);

/** The descriptor that stands for the working folder. */
export const AT_FDCWD = -100;

export type OtherCall = keyof typeof OTHER_CALLS;

const OTHER_NAMES: ReadonlyMap<number, OtherCall> = new Map(
  (Object.entries(OTHER_CALLS) as [OtherCall, number][]).map(([name, number]): [number, OtherCall] => [number, name]),
);

export function otherCallName(number: number): OtherCall | undefined {
  return OTHER_NAMES.get(number);
}
