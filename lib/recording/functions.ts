/** Names of functions in policies and in the kernel. */

/** A system call has several names in policies, and another one in the kernel of each architecture. All give the same key. */
export function functionKey(name: string, syscall: boolean): string {
  if (!syscall) return name;
  const [, abi, own = name] = /^(?:__)?(x64|arm64|i386|ia32)[_/](?:compat_)?(sys_.*)$/.exec(name) ?? [];
  return abi === 'i386' || abi === 'ia32' ? `i386/${own}` : own;
}
