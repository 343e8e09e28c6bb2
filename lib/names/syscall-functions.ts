/** Names of the kernel's functions for system calls, and their notations in policies. Source: asm/syscall_wrapper.h. */

import { hostArchitecture, isFunctionRenamed, syscallName, syscallNumber } from './syscalls.js';

const NATIVE_PREFIX = process.arch === 'arm64' ? '__arm64_' : '__x64_';
/** For calls of 32-bit programs: first the function that only they use, then the function for all programs. */
const IA32_PREFIXES = ['__ia32_compat_', '__ia32_'] as const;

/**
 * Calls of 32-bit programs that run the function for all programs. The kernel still has a weak function with the name of the
 * other one, which no call reaches.
 */
const IA32_PLACEHOLDERS: ReadonlySet<string> = new Set([
  'sys_getsockopt',
  'sys_process_vm_readv',
  'sys_process_vm_writev',
  'sys_setsockopt',
]);

const PREFIXES: Readonly<Record<string, readonly string[]>> = {
  x64: ['__x64_'],
  arm64: ['__arm64_'],
  i386: IA32_PREFIXES,
};

/** Returns the possible names of the function for `sys_dup`, `i386/sys_dup` or `__ia32_sys_dup`, the likeliest first. */
export function syscallFunctionNames(call: string): readonly string[] {
  const [abi, own] = call.split('/', 2) as [string, string | undefined];
  if (abi === 'i386' && own !== undefined && IA32_PLACEHOLDERS.has(own)) return [`__ia32_${own}`];
  if (own !== undefined) return (PREFIXES[abi] ?? []).map((prefix) => prefix + own);
  return [call.startsWith('__') ? call : NATIVE_PREFIX + call];
}

/** True if the function receives the registers of a 32-bit program. */
export function isIa32Function(functionName: string): boolean {
  return functionName.startsWith('__ia32_');
}

/** True for the functions of this machine's own system calls. The function for unused numbers is not one of them. */
export function isSyscallFunction(name: string): boolean {
  return name.startsWith(`${NATIVE_PREFIX}sys_`) && name !== `${NATIVE_PREFIX}sys_ni_syscall`;
}

/**
 * True if `call` names the function of a system call of this machine's own programs. A kernel without that function does not
 * have the call: its number leads to sys_ni_syscall, and no process can make it.
 */
export function isNamedCall(call: string): boolean {
  const number = syscallNumber(call, hostArchitecture());
  const name = number === undefined ? undefined : syscallName(number, hostArchitecture());
  if (name === undefined || isFunctionRenamed(name)) return false;
  return syscallFunctionNames(call).includes(`${NATIVE_PREFIX}sys_${name}`);
}
