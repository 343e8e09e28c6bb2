/** Numbers of errors by name, as in asm-generic/errno-base.h and asm-generic/errno.h. x86 and arm64 have the same numbers. */

/** The names of the numbers from 1 on. */
const FIRST_ERRORS = [
  'EPERM', 'ENOENT', 'ESRCH', 'EINTR', 'EIO', 'ENXIO', 'E2BIG', 'ENOEXEC', 'EBADF', 'ECHILD', 'EAGAIN', 'ENOMEM',
  'EACCES', 'EFAULT', 'ENOTBLK', 'EBUSY', 'EEXIST', 'EXDEV', 'ENODEV', 'ENOTDIR', 'EISDIR', 'EINVAL', 'ENFILE', 'EMFILE',
  'ENOTTY', 'ETXTBSY', 'EFBIG', 'ENOSPC', 'ESPIPE', 'EROFS', 'EMLINK', 'EPIPE', 'EDOM', 'ERANGE', 'EDEADLK',
  'ENAMETOOLONG', 'ENOLCK', 'ENOSYS', 'ENOTEMPTY', 'ELOOP',
] as const; // prettier-ignore

/** Other errors that system calls often return. */
const LATER_ERRORS: Readonly<Record<string, number>> = {
  EWOULDBLOCK: 11,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  EILSEQ: 84,
  ENOTSOCK: 88,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ENOTSUP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  ESTALE: 116,
  EDQUOT: 122,
  ECANCELED: 125,
  EKEYREJECTED: 129,
};

/** The name of an error, such as EPERM for 1; undefined if the number is not known. */
export function errorName(number: number): string | undefined {
  return FIRST_ERRORS[number - 1] ?? Object.keys(LATER_ERRORS).find((name) => LATER_ERRORS[name] === number);
}

/** The number of an error, such as 1 for EPERM; undefined if the name is not known. */
export function errorNumber(name: string): number | undefined {
  const index = (FIRST_ERRORS as readonly string[]).indexOf(name);
  if (index >= 0) return index + 1;
  return Object.hasOwn(LATER_ERRORS, name) ? LATER_ERRORS[name] : undefined;
}
