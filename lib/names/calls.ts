/** The functions of a kernel behind system calls, in the notations that policies have for them. Sources: asm/syscall_wrapper.h. */

const NATIVE = process.arch === 'arm64' ? '__arm64_' : '__x64_';
/** 32-bit programs' calls: where the kernel has a function of its own for them, that, else what it has for all. */
const IA32 = ['__ia32_compat_', '__ia32_'] as const;

const PREFIXES: Readonly<Record<string, readonly string[]>> = {
  x64: ['__x64_'],
  arm64: ['__arm64_'],
  i386: IA32,
};

/** `sys_dup`, `i386/sys_dup`, `__ia32_sys_dup`: names of functions, the likeliest first. */
export function syscallFunctions(call: string): readonly string[] {
  const [abi, own] = call.split('/', 2) as [string, string | undefined];
  if (own !== undefined) return (PREFIXES[abi] ?? []).map((prefix) => prefix + own);
  return [call.startsWith('__') ? call : NATIVE + call];
}

/** Whether the function is given the registers of a 32-bit program. */
export function isIa32(functionName: string): boolean {
  return functionName.startsWith('__ia32_');
}

/** Of this machine's own calls; what the kernel does for numbers that are no call is not one. */
export function isSyscallFunction(name: string): boolean {
  return name.startsWith(`${NATIVE}sys_`) && name !== `${NATIVE}sys_ni_syscall`;
}
