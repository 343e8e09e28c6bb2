/** Compares names of functions in policies and in the kernel. */

/** Returns the same key for all names of a system call: the names in policies, and those in the kernels of each architecture. */
export function functionKey(name: string, syscall: boolean): string {
  if (!syscall) return name;
  const [, abi, own = name] = /^(?:__)?(x64|arm64|i386|ia32)[_/](?:compat_)?(sys_.*)$/.exec(name) ?? [];
  return abi === 'i386' || abi === 'ia32' ? `i386/${own}` : own;
}
