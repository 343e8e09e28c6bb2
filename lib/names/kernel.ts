/** Names of file types and of registers. Sources: linux/stat.h, asm/ptrace.h. */
import type { NumberByName } from './network.js';

/** Bits of a file's mode for each file type. A file type can have two names. */
export const FILE_TYPES: NumberByName = {
  sock: 0o140000, socket: 0o140000, lnk: 0o120000, link: 0o120000, reg: 0o100000, regular: 0o100000, blk: 0o060000,
  block: 0o060000, dir: 0o040000, chr: 0o020000, char: 0o020000, fifo: 0o010000, pipe: 0o010000,
}; // prettier-ignore

/** A register, or the lowest bytes of one. */
export interface Register {
  /** The name of its member in struct pt_regs; for x0 to x30 the name itself. */
  readonly member: string;
  readonly bytes: 1 | 2 | 4 | 8;
}

/** Each row has the names for 8, 4, 2 and 1 bytes. */
const X64: Readonly<Record<string, readonly string[]>> = {
  ax: ['rax', 'eax', 'ax', 'al'], bx: ['rbx', 'ebx', 'bx', 'bl'], cx: ['rcx', 'ecx', 'cx', 'cl'],
  dx: ['rdx', 'edx', 'dx', 'dl'], si: ['rsi', 'esi', 'si', 'sil'], di: ['rdi', 'edi', 'di', 'dil'],
  bp: ['rbp', 'ebp', 'bp', 'bpl'], sp: ['rsp', 'esp', 'sp', 'spl'], ip: ['rip', 'eip', 'ip'],
  flags: ['rflags', 'eflags', 'flags'], orig_ax: ['orig_rax'],
  ...Object.fromEntries([8, 9, 10, 11, 12, 13, 14, 15].map((n) => [`r${n}`, [`r${n}`, `r${n}d`, `r${n}w`, `r${n}b`]])),
}; // prettier-ignore
const X64_BYTES = [8, 4, 2, 1] as const;
const SEGMENTS = ['cs', 'ss'].map((name): [string, Register] => [name, { member: name, bytes: 2 }]);
const ARM64_NAMES: Readonly<Record<string, string>> = { fp: 'x29', lr: 'x30' };

/** Registers of a program that a policy can set, with their index in struct pt_regs of x86-64 (words of 8 bytes). */
export const PROGRAM_REGISTERS: Readonly<Record<string, number>> = {
  r15: 0, r14: 1, r13: 2, r12: 3, rbp: 4, rbx: 5, r11: 6, r10: 7, r9: 8, r8: 9, rax: 10, rcx: 11, rdx: 12, rsi: 13, rdi: 14,
  rip: 16, rsp: 19,
}; // prettier-ignore

const ARM64: readonly [string, Register][] = [
  ...Array.from({ length: 31 }, (_, i) => i).flatMap((i): [string, Register][] => [
    [`x${i}`, { member: `x${i}`, bytes: 8 }],
    [`w${i}`, { member: `x${i}`, bytes: 4 }],
  ]),
  ...['sp', 'pc', 'pstate'].map((name): [string, Register] => [name, { member: name, bytes: 8 }]),
  ...Object.entries(ARM64_NAMES).map(([name, member]): [string, Register] => [name, { member, bytes: 8 }]),
];

const X64_REGISTERS: ReadonlyMap<string, Register> = new Map([
  ...SEGMENTS,
  ...Object.entries(X64).flatMap(([member, names]) =>
    names.map((name, i): [string, Register] => [name, { member, bytes: X64_BYTES[i] ?? 8 }]),
  ),
]);
const ARM64_REGISTERS: ReadonlyMap<string, Register> = new Map(ARM64);

/** The register of an architecture (`process.arch`); undefined if it has none of this name. */
export function findRegister(name: string, architecture: string): Register | undefined {
  return (architecture === 'arm64' ? ARM64_REGISTERS : X64_REGISTERS).get(name);
}

/** Registers of every architecture. The load checks which of them this machine has. */
export const REGISTERS: ReadonlySet<string> = new Set([...X64_REGISTERS.keys(), ...ARM64_REGISTERS.keys()]);

/** A register of a program on x86-64 that a policy can set: its word in struct pt_regs, and how many of its lowest bytes. */
export function programRegister(name: string): { readonly wordIndex: number; readonly bytes: number } | undefined {
  const register = X64_REGISTERS.get(name);
  const whole = register === undefined ? undefined : X64[register.member]?.[0];
  const wordIndex = whole === undefined ? undefined : PROGRAM_REGISTERS[whole];
  return wordIndex === undefined ? undefined : { wordIndex, bytes: register?.bytes ?? 8 };
}
