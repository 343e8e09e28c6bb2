/** Numbers of system calls by name. */
import { SYSCALL_NUMBERS } from './syscalls.gen.js';

export type Architecture = keyof typeof SYSCALL_NUMBERS;
export const ARCHITECTURES = Object.keys(SYSCALL_NUMBERS) as Architecture[];

/** Functions of the kernel that are not named like the call. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  newstat: 'stat',
  newlstat: 'lstat',
  newfstat: 'fstat',
  newuname: 'uname',
  sendfile64: 'sendfile',
  umount: 'umount2',
};

const tables = new Map<Architecture, ReadonlyMap<string, bigint>>();

function tableOf(architecture: Architecture): ReadonlyMap<string, bigint> {
  const known = tables.get(architecture);
  if (known !== undefined) return known;
  const words = SYSCALL_NUMBERS[architecture].trim().split(/\s+/);
  const table = new Map(
    words.map((word): [string, bigint] => {
      const [name = '', number = ''] = word.split('=');
      return [name, BigInt(number)];
    }),
  );
  tables.set(architecture, table);
  return table;
}

/** `dup`, `sys_dup` and `__x64_sys_dup` are the same. Undefined where the architecture has no such call. */
export function syscallNumber(text: string, architecture: Architecture): bigint | undefined {
  const name = text.replace(/^(__[a-z0-9]+_)?sys_/, '');
  const table = tableOf(architecture);
  return table.get(name) ?? table.get(FUNCTIONS[name] ?? '');
}

/** Of every architecture, for advice on a name that is none. */
export function syscallNames(): string[] {
  return [...new Set(ARCHITECTURES.flatMap((architecture) => [...tableOf(architecture).keys()]))];
}

/** Of this machine. Where its numbers are not known, those of x86-64: nothing can be loaded there anyway. */
export function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'x64';
}
