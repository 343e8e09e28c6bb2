/** System calls: their names and numbers. */
import { SyscallBit } from './abi.gen.js';
import { SYSCALL_NUMBERS } from './syscalls.gen.js';

/** The tables of system calls. 32-bit programs on x64 use i386. */
export type Abi = keyof typeof SYSCALL_NUMBERS;
export type Architecture = Exclude<Abi, 'i386'>;
export const ARCHITECTURES: readonly Architecture[] = ['x64', 'arm64'];
/** Bit that is set in the number of a call of a 32-bit program. */
export const SYSCALL_COMPAT = BigInt(SyscallBit.SYSCALL_COMPAT);

/** Functions of the kernel whose names differ from the system call. */
const FUNCTION_SYSCALLS: Readonly<Record<string, string>> = {
  newstat: 'stat',
  newlstat: 'lstat',
  newfstat: 'fstat',
  newuname: 'uname',
  sendfile64: 'sendfile',
  umount: 'umount2',
};

interface SyscallTable {
  readonly numbers: ReadonlyMap<string, bigint>;
  readonly names: ReadonlyMap<bigint, string>;
}

const tables = new Map<Abi, SyscallTable>();

function syscallTable(abi: Abi): SyscallTable {
  const known = tables.get(abi);
  if (known !== undefined) return known;
  const rows = [...SYSCALL_NUMBERS[abi].matchAll(/(\w+)=(\d+)/g)].map(
    ([, name = '', number = '']): [string, bigint] => [name, BigInt(number)],
  );
  const table = { numbers: new Map(rows), names: new Map(rows.map(([name, number]) => [number, name])) };
  tables.set(abi, table);
  return table;
}

/** Undefined for a number without a call. */
export function syscallName(number: bigint, abi: Abi): string | undefined {
  return syscallTable(abi).names.get(number);
}

const ABIS: Readonly<Record<string, Abi>> = { x64: 'x64', i386: 'i386', ia32: 'i386', arm64: 'arm64' };

/**
 * `dup`, `sys_dup`, `x64/sys_dup` and `__x64_sys_dup` mean the same. `i386/sys_dup` and `__ia32_sys_dup` mean the call of
 * 32-bit programs. Returns undefined if the architecture does not have the call.
 */
export function syscallNumber(text: string, architecture: Architecture): bigint | undefined {
  const match = /^(?:(\w+)\/(?:sys_)?|__([a-z0-9]+)_(?:compat_)?sys_|sys_)?(\w+)$/.exec(text);
  if (match === null) return undefined;
  const [, written, prefix, name = ''] = match;
  const own = written ?? prefix;
  const abi = own === undefined ? architecture : ABIS[own];
  if (abi === undefined || (abi !== architecture && !(abi === 'i386' && architecture === 'x64'))) return undefined;
  const { numbers } = syscallTable(abi);
  const number = numbers.get(name) ?? numbers.get(FUNCTION_SYSCALLS[name] ?? '');
  return number === undefined || abi !== 'i386' ? number : number | SYSCALL_COMPAT;
}

/** True if the kernel's function for this call has another name, on any architecture. */
export function isFunctionRenamed(name: string): boolean {
  return name === 'fadvise64' || Object.values(FUNCTION_SYSCALLS).includes(name);
}

/** Returns the names of every architecture, to find the nearest one to an unknown name. */
export function syscallNames(): string[] {
  return [...new Set(ARCHITECTURES.flatMap((architecture) => [...syscallTable(architecture).numbers.keys()]))];
}

/** Returns the architecture of this machine; x64 if its numbers are not known, because no policy can be loaded there. */
export function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'x64';
}
