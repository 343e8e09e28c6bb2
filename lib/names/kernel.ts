/** Types of files, and registers. Sources: linux/stat.h, asm/ptrace.h. */
import type { Names } from './network.js';

/** Bits of a file's mode for each type. A type can have two names. */
export const FILE_TYPES: Names = {
  sock: 0o140000, socket: 0o140000, lnk: 0o120000, link: 0o120000, reg: 0o100000, regular: 0o100000, blk: 0o060000,
  block: 0o060000, dir: 0o040000, chr: 0o020000, char: 0o020000, fifo: 0o010000, pipe: 0o010000,
}; // prettier-ignore

const X64 = [
  'r15', 'r14', 'r13', 'r12', 'bp', 'bx', 'r11', 'r10', 'r9', 'r8', 'ax', 'cx', 'dx', 'si', 'di', 'orig_ax', 'ip', 'cs',
  'flags', 'sp', 'ss', 'rbp', 'rbx', 'rax', 'rcx', 'rdx', 'rsi', 'rdi', 'orig_rax', 'rip', 'eflags', 'rsp',
]; // prettier-ignore
/** Registers of a program that a policy can set: their position in struct pt_regs of x86-64, in words. */
export const PROGRAM_REGISTERS: Readonly<Record<string, number>> = {
  r15: 0, r14: 1, r13: 2, r12: 3, rbp: 4, rbx: 5, r11: 6, r10: 7, r9: 8, r8: 9, rax: 10, rcx: 11, rdx: 12, rsi: 13, rdi: 14,
  rip: 16, rsp: 19,
}; // prettier-ignore

const ARM64 = [...Array.from({ length: 31 }, (_, i) => `x${i}`), 'sp', 'pc', 'pstate'];

/** Registers of every architecture. The load checks which of them this machine has. */
export const REGISTERS: ReadonlySet<string> = new Set([...X64, ...ARM64]);
