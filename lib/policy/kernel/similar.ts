/** Suggests the function or system call of a kernel that somebody probably meant. */
import type { KernelInfo } from '../../../types/kernel.js';
import { syscallFunctions } from '../../names/calls.js';
import { nearest } from '../parse/nearest.js';
import { knownElsewhere } from './renamed.js';

/** Most edits between a name and a suggestion. It is small because a kernel has tens of thousands of names. */
const SLIPS = 2;
/** Each edit changes at most two of the bits that stand for the letters of a name. */
const BITS_MAX = 2 * SLIPS;

const ARCHITECTURES = ['x64', 'arm64', 's390x', 'riscv', 'loongarch', 'powerpc'] as const;

/** The name of the kernel's function for a system call, which policies write as `sys_NAME`; undefined if there is none. */
export function syscallFunction(call: string, kernel: KernelInfo): string | undefined {
  const [, abi, , own] = /^(\w+\/|__[a-z0-9]+_)?(compat_)?(sys_\w+)$/.exec(call) ?? [];
  if (own === undefined) return undefined;
  // Kernels before 4.17 use the plain name.
  const plain = [...ARCHITECTURES.map((architecture) => `__${architecture}_${call}`), call];
  return (abi === undefined ? plain : syscallFunctions(call)).find((each) => kernel.function(each) !== undefined);
}

/** What to write in place of a name that the kernel does not have. `syscall` says that it was taken for a system call. */
export function similarFunction(name: string, syscall: boolean, kernel: KernelInfo): string | undefined {
  const renamed = knownElsewhere(name, kernel);
  if (renamed !== undefined) return `this kernel calls it ${renamed}`;
  const exists = kernel.function(name) !== undefined || kernel.attachable(name) === true;
  if (syscall && exists) return `${name} is a function: add \`syscall: false\``;
  if (!syscall && syscallFunction(name, kernel) !== undefined)
    return `${name} is a system call: remove \`syscall: false\``;
  const withPrefix = `sys_${name}`;
  if (syscallFunction(withPrefix, kernel) !== undefined) return didYouMean(withPrefix, true, syscall);
  const names = namesOf(kernel);
  const [likely, other] = syscall ? [names.syscalls, names.functions] : [names.functions, names.syscalls];
  const close = likely.nearest(name);
  if (close !== undefined) return didYouMean(close, syscall, syscall);
  const further = other.nearest(name);
  return further === undefined ? undefined : didYouMean(further, !syscall, syscall);
}

function didYouMean(name: string, isSyscall: boolean, wasSyscall: boolean): string {
  if (isSyscall === wasSyscall) return `did you mean ${name}?`;
  return isSyscall
    ? `did you mean the system call ${name}, without \`syscall: false\`?`
    : `did you mean the function ${name}, with \`syscall: false\`?`;
}

/** Names with a bit for each letter, so that a search compares only the few names that have nearly the same letters. */
class NameIndex {
  readonly #letters: Int32Array;

  constructor(private readonly names: readonly string[]) {
    this.#letters = Int32Array.from(names, lettersOf);
  }

  nearest(wanted: string): string | undefined {
    const letters = lettersOf(wanted);
    const likely = this.names.filter(
      (name, i) =>
        Math.abs(name.length - wanted.length) <= SLIPS && bitCount(letters ^ (this.#letters[i] ?? 0)) <= BITS_MAX,
    );
    return nearest(wanted, likely, Math.min(SLIPS, Math.floor(wanted.length / 3)));
  }
}

function lettersOf(name: string): number {
  let bits = 0;
  for (let i = 0; i < name.length; i++) bits |= 1 << (name.charCodeAt(i) & 31);
  return bits;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

interface Names {
  readonly functions: NameIndex;
  readonly syscalls: NameIndex;
}

/** Made once for each kernel: it has about 60,000 functions. */
const indexes = new WeakMap<KernelInfo, Names>();

function namesOf(kernel: KernelInfo): Names {
  const known = indexes.get(kernel);
  if (known !== undefined) return known;
  const all = [...new Set([...kernel.functionNames(), ...(kernel.attachableNames() ?? [])])];
  const syscalls = all.flatMap((name) => /^__[a-z0-9]+_(sys_\w+)$/.exec(name)?.[1] ?? []);
  const names = { functions: new NameIndex(all), syscalls: new NameIndex([...new Set(syscalls)]) };
  indexes.set(kernel, names);
  return names;
}
