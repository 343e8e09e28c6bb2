/** Resolves `list:NAME` in calls and values to the functions of the list. */
import type { FunctionList } from '../../compiled/compiled-policy.js';
import type { KernelInfo } from '../../../types/kernel.js';
import type { ListData, PolicyData } from './model.js';
import { isSyscallFunction } from '../../names/calls.js';

const PREFIX = 'list:';

/** The name in `list:NAME`; undefined if the text is not such a reference. */
export function listName(text: string): string | undefined {
  return text.startsWith(PREFIX) ? text.slice(PREFIX.length) : undefined;
}

export function findList(policy: PolicyData, name: string): ListData | undefined {
  return policy.spec?.lists?.find((list) => list.name === name);
}

export function isGenerated({ type }: ListData): boolean {
  return type === 'generated_syscalls' || type === 'generated_ftrace';
}

export interface Called {
  readonly syscall: boolean;
  readonly functions: FunctionList;
}

/** The functions that a hook's `call` means, each once. The type of a list says whether it contains system calls. */
export function calledBy(policy: PolicyData, call: string, syscall: boolean): Called {
  const name = listName(call);
  if (name === undefined) return { syscall, functions: { functions: [call] } };
  const { type, pattern = '', values = [] } = findList(policy, name) ?? {};
  if (type === 'generated_syscalls') return { syscall: true, functions: { generated: 'syscalls' } };
  if (type === 'generated_ftrace') return { syscall: false, functions: { generated: 'ftrace', pattern } };
  return { syscall: type === 'syscalls' || syscall, functions: { functions: [...new Set(values)] } };
}

export interface Call {
  readonly name: string;
  readonly syscall: boolean;
}

/** The functions that a hook's `call` means. A generated list needs a kernel; without one it is empty. */
export function callsOf(policy: PolicyData, call: string, syscall: boolean, kernel?: KernelInfo): Call[] {
  const called = calledBy(policy, call, syscall);
  return functionsOf(called.functions, kernel).map((name) => ({ name, syscall: called.syscall }));
}

/**
 * The functions in the kernel's order. If the kernel does not say which can be probed, all functions of its BTF are
 * used.
 */
export function functionsOf(list: FunctionList, kernel?: KernelInfo): readonly string[] {
  if ('functions' in list) return list.functions;
  const all = kernel?.attachableNames() ?? kernel?.functionNames() ?? [];
  if (list.generated === 'syscalls') return all.filter(isSyscallFunction);
  const pattern = patternOf(list.pattern);
  return pattern instanceof RegExp ? all.filter((name) => pattern.test(name)) : [];
}

/** Returns the error if the text is not a regular expression. */
export function patternOf(text: string): RegExp | SyntaxError {
  try {
    return new RegExp(text);
  } catch (error) {
    return error as SyntaxError;
  }
}
