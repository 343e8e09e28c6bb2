/** Finds the prototypes of the functions that a policy names. */
import type { FunctionInfo, KernelInfo } from '../../../types/kernel.js';
import { syscallFunction } from './similar.js';

export interface Found {
  readonly name: string;
  /** Absent if the kernel's types do not contain it: the wrapper of a system call only takes a struct pt_regs. */
  readonly prototype?: FunctionInfo;
}

export function findFunction(name: string, kernel: KernelInfo): Found | undefined {
  const prototype = kernel.function(name);
  return prototype === undefined ? undefined : { name, prototype };
}

/** The function of a system call; `__do_sys_NAME` has its real parameters. */
export function findSyscall(call: string, kernel: KernelInfo): Found | undefined {
  const name = syscallFunction(call, kernel);
  if (name === undefined) return undefined;
  const [, compat = '', own = ''] = /(compat_)?(sys_\w+)$/.exec(call) ?? [];
  const real = name.includes('_compat_') ? `compat_${own}` : compat + own;
  const prototype = kernel.function(`__do_${real}`) ?? kernel.function(`__se_${real}`);
  return prototype === undefined ? { name } : { name, prototype };
}
