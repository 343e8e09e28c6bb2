/** Resolves `list:NAME` in calls and values to the functions of the list. */
import type { FunctionList } from '../../compiled/compiled-policy.js';
import type { KernelInfo } from '../../../types/kernel.js';
import type { ListData, PolicyData } from './model.js';
import { isSyscallFunction } from '../../names/syscall-functions.js';

const LIST_PREFIX = 'list:';

/** Returns the name in `list:NAME`; undefined if the text is not such a reference. */
export function listName(text: string): string | undefined {
  return text.startsWith(LIST_PREFIX) ? text.slice(LIST_PREFIX.length) : undefined;
}

export function findList(policy: PolicyData, name: string): ListData | undefined {
  return policy.spec?.lists?.find((list) => list.name === name);
}

export function isGeneratedList({ type }: ListData): boolean {
  return type === 'generated_syscalls' || type === 'generated_ftrace';
}

export interface ResolvedCall {
  readonly syscall: boolean;
  readonly functions: FunctionList;
}

/** Returns the functions that a hook's `call` stands for. The type of a list decides whether they are system calls. */
export function resolveCall(policy: PolicyData, call: string, syscall: boolean): ResolvedCall {
  const name = listName(call);
  if (name === undefined) return { syscall, functions: { functions: [call] } };
  const { type, pattern = '', values = [] } = findList(policy, name) ?? {};
  if (type === 'generated_syscalls') return { syscall: true, functions: { generated: 'syscalls' } };
  if (type === 'generated_ftrace') return { syscall: false, functions: { generated: 'ftrace', pattern } };
  return { syscall: type === 'syscalls' || syscall, functions: { functions: [...new Set(values)] } };
}

export interface CalledFunction {
  readonly name: string;
  readonly syscall: boolean;
}

/** Returns each function that a hook's `call` stands for. A generated list is empty without a kernel. */
export function expandCall(policy: PolicyData, call: string, syscall: boolean, kernel?: KernelInfo): CalledFunction[] {
  const resolved = resolveCall(policy, call, syscall);
  return expandFunctionList(resolved.functions, kernel).map((name) => ({ name, syscall: resolved.syscall }));
}

/**
 * Returns the functions of a list in the kernel's order. If it is not known which functions can be probed, a generated
 * list is filled from all functions of the BTF.
 */
export function expandFunctionList(list: FunctionList, kernel?: KernelInfo): readonly string[] {
  if ('functions' in list) return list.functions;
  const all = kernel?.attachableNames() ?? kernel?.functionNames() ?? [];
  if (list.generated === 'syscalls') return all.filter(isSyscallFunction);
  const pattern = compileRegExp(list.pattern);
  return pattern instanceof RegExp ? all.filter((name) => pattern.test(name)) : [];
}

/** Returns a SyntaxError if the text is not a regular expression. */
export function compileRegExp(text: string): RegExp | SyntaxError {
  try {
    return new RegExp(text);
  } catch (error) {
    return error as SyntaxError;
  }
}
