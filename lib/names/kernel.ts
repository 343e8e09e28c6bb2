/** Capabilities, types of files, registers. Sources: linux/capability.h, linux/stat.h, asm/ptrace.h. */
import type { Names } from './network.js';

/** In the order of the header: the position is the number. */
export const CAPABILITIES = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID',
  'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE', 'CAP_NET_BIND_SERVICE', 'CAP_NET_BROADCAST', 'CAP_NET_ADMIN', 'CAP_NET_RAW',
  'CAP_IPC_LOCK', 'CAP_IPC_OWNER', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_NICE', 'CAP_SYS_RESOURCE', 'CAP_SYS_TIME', 'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD',
  'CAP_LEASE', 'CAP_AUDIT_WRITE', 'CAP_AUDIT_CONTROL', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG',
  'CAP_WAKE_ALARM', 'CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE',
] as const; // prettier-ignore

/** Undefined for a name that is none. */
export function capabilityNumber(name: string): bigint | undefined {
  const number = (CAPABILITIES as readonly string[]).indexOf(name);
  return number < 0 ? undefined : BigInt(number);
}

/** A bit for each; names that are none have been refused before. */
export function capabilityBits(names: readonly string[]): bigint {
  return names.reduce((all, name) => all | (1n << (capabilityNumber(name) ?? 0n)), 0n);
}

/** Bits of a mode, each under its two names. */
export const FILE_TYPES: Names = {
  sock: 0o140000, socket: 0o140000, lnk: 0o120000, link: 0o120000, reg: 0o100000, regular: 0o100000, blk: 0o060000,
  block: 0o060000, dir: 0o040000, chr: 0o020000, char: 0o020000, fifo: 0o010000, pipe: 0o010000,
}; // prettier-ignore

const X64 = [
  'r15', 'r14', 'r13', 'r12', 'bp', 'bx', 'r11', 'r10', 'r9', 'r8', 'ax', 'cx', 'dx', 'si', 'di', 'orig_ax', 'ip', 'cs',
  'flags', 'sp', 'ss', 'rbp', 'rbx', 'rax', 'rcx', 'rdx', 'rsi', 'rdi', 'orig_rax', 'rip', 'eflags', 'rsp',
]; // prettier-ignore
/** Registers of a program that a policy can set, with their place in struct pt_regs of x86-64, in words. */
export const PROGRAM_REGISTERS: Readonly<Record<string, number>> = {
  r15: 0, r14: 1, r13: 2, r12: 3, rbp: 4, rbx: 5, r11: 6, r10: 7, r9: 8, r8: 9, rax: 10, rcx: 11, rdx: 12, rsi: 13, rdi: 14,
  rip: 16, rsp: 19,
}; // prettier-ignore

const ARM64 = [...Array.from({ length: 31 }, (_, i) => `x${i}`), 'sp', 'pc', 'pstate'];

/** Of every architecture: which of them this machine has is seen at load. */
export const REGISTERS: ReadonlySet<string> = new Set([...X64, ...ARM64]);
