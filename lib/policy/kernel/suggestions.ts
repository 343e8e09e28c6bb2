/** Suggests the function or system call of a kernel that the author of a policy probably meant. */
import type { KernelInfo } from '../../../types/kernel.js';
import { syscallFunctionNames } from '../../names/syscall-functions.js';
import { findNearestName } from '../parse/nearest-name.js';
import { findRenamedFunction } from './renamed-functions.js';

/** Maximum edit distance between a name and a suggestion. It is small because a kernel has tens of thousands of names. */
const EDITS_MAX = 2;
/** Maximum number of different bits in the letter masks: each edit changes at most two. */
const BITS_MAX = 2 * EDITS_MAX;

const ARCHITECTURES = ['x64', 'arm64', 's390x', 'riscv', 'loongarch', 'powerpc'] as const;

/** The kernel's function for a system call, such as `sys_openat`; undefined if the kernel does not have the call. */
export function findSyscallFunction(call: string, kernel: KernelInfo): string | undefined {
  const [, abi, , own] = /^(\w+\/|__[a-z0-9]+_)?(compat_)?(sys_\w+)$/.exec(call) ?? [];
  if (own === undefined) return undefined;
  // Kernels before 4.17 use the plain name.
  const plain = [...ARCHITECTURES.map((architecture) => `__${architecture}_${call}`), call];
  return (abi === undefined ? plain : syscallFunctionNames(call)).find((each) => kernel.function(each) !== undefined);
}

/** The hint for a name that the kernel does not have. `syscall`: the policy uses the name as a system call. */
export function suggestFunction(name: string, syscall: boolean, kernel: KernelInfo): string | undefined {
  const renamed = findRenamedFunction(name, kernel);
  if (renamed !== undefined) return `this kernel calls it ${renamed}`;
  const exists = kernel.function(name) !== undefined || kernel.attachable(name) === true;
  if (syscall && exists) return `${name} is a function: add \`syscall: false\``;
  if (!syscall && findSyscallFunction(name, kernel) !== undefined)
    return `${name} is a system call: remove \`syscall: false\``;
  const withPrefix = `sys_${name}`;
  if (findSyscallFunction(withPrefix, kernel) !== undefined) return formatSuggestion(withPrefix, true, syscall);
  const names = nameIndexes(kernel);
  const [likely, other] = syscall ? [names.syscalls, names.functions] : [names.functions, names.syscalls];
  const close = likely.nearest(name);
  if (close !== undefined) return formatSuggestion(close, syscall, syscall);
  const further = other.nearest(name);
  return further === undefined ? undefined : formatSuggestion(further, !syscall, syscall);
}

function formatSuggestion(name: string, isSyscall: boolean, wasSyscall: boolean): string {
  if (isSyscall === wasSyscall) return `did you mean ${name}?`;
  return isSyscall
    ? `did you mean the system call ${name}, without \`syscall: false\`?`
    : `did you mean the function ${name}, with \`syscall: false\`?`;
}

/** Names with a mask of their letters, so that a search compares only the few names with nearly the same letters. */
class NameIndex {
  readonly #letters: Int32Array;

  constructor(private readonly names: readonly string[]) {
    this.#letters = Int32Array.from(names, letterMask);
  }

  nearest(wanted: string): string | undefined {
    const letters = letterMask(wanted);
    const likely = this.names.filter(
      (name, i) =>
        Math.abs(name.length - wanted.length) <= EDITS_MAX && countBits(letters ^ (this.#letters[i] ?? 0)) <= BITS_MAX,
    );
    return findNearestName(wanted, likely, Math.min(EDITS_MAX, Math.floor(wanted.length / 3)));
  }
}

function letterMask(name: string): number {
  let bits = 0;
  for (let i = 0; i < name.length; i++) bits |= 1 << (name.charCodeAt(i) & 31);
  return bits;
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

interface NameIndexes {
  readonly functions: NameIndex;
  readonly syscalls: NameIndex;
}

/** Built once for each kernel, because a kernel has about 60,000 functions. */
const indexes = new WeakMap<KernelInfo, NameIndexes>();

function nameIndexes(kernel: KernelInfo): NameIndexes {
  const known = indexes.get(kernel);
  if (known !== undefined) return known;
  const all = [...new Set([...kernel.functionNames(), ...(kernel.attachableNames() ?? [])])];
  const syscalls = all.flatMap((name) => /^__[a-z0-9]+_(sys_\w+)$/.exec(name)?.[1] ?? []);
  const names = { functions: new NameIndex(all), syscalls: new NameIndex([...new Set(syscalls)]) };
  indexes.set(kernel, names);
  return names;
}
