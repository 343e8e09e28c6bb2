/** Finds the prototypes of the functions that a policy names. */
import type { FunctionInfo, KernelInfo } from '../../../types/kernel.js';
import { findSyscallFunction } from './suggestions.js';

export interface KernelFunction {
  readonly name: string;
  /** Absent if BTF does not have it: the wrapper of a system call only takes a struct pt_regs. */
  readonly prototype?: FunctionInfo;
}

export function findFunction(name: string, kernel: KernelInfo): KernelFunction | undefined {
  const prototype = kernel.function(name);
  return prototype === undefined ? undefined : { name, prototype };
}

/** The function of a system call. The prototype is that of `__do_sys_NAME`, which has the real parameters. */
export function findSyscall(call: string, kernel: KernelInfo): KernelFunction | undefined {
  const name = findSyscallFunction(call, kernel);
  if (name === undefined) return undefined;
  const [, compat = '', own = ''] = /(compat_)?(sys_\w+)$/.exec(call) ?? [];
  const real = name.includes('_compat_') ? `compat_${own}` : compat + own;
  const prototype = kernel.function(`__do_${real}`) ?? kernel.function(`__se_${real}`);
  return prototype === undefined ? { name } : { name, prototype };
}
