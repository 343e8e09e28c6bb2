/** Functions that have another name in other kernels, or that miss operations there. */
import type { KernelInfo } from '../../../types/kernel.js';

/** Each row lists the names of one function in different versions of the kernel. */
const RENAMED_FUNCTIONS: readonly (readonly string[])[] = [
  ['security_bpf_map_alloc', 'security_bpf_map_create'],
  ['security_bpf_prog_alloc', 'security_bpf_prog_load'],
  ['security_sb_copy_data', 'security_sb_eat_lsm_opts'],
  ['security_task_getsecid', 'security_task_getsecid_obj', 'security_task_getlsmprop_obj'],
  ['security_bprm_set_creds', 'security_bprm_creds_for_exec'],
  ['kfree_skb', 'kfree_skb_reason', 'sk_skb_reason_drop'],
];

interface BroaderFunction {
  readonly name: string;
  /** The operations that only this function handles: a part of the message. */
  readonly misses: string;
}

/** By name of a function: the function that newer kernels call instead for a part of the operations. */
const PARTIAL_FUNCTIONS: Readonly<Record<string, BroaderFunction>> = {
  // Since Linux 6.2, truncation by descriptor does not call this function.
  security_path_truncate: {
    name: 'security_file_truncate',
    misses: 'ftruncate and open with O_TRUNC use another function',
  },
  // Since Linux 6.8, ioctl of 32-bit programs does not call this function.
  security_file_ioctl: {
    name: 'security_file_ioctl_compat',
    misses: 'the calls of 32-bit programs use another function',
  },
  kfree_skb: { name: 'kfree_skb_reason', misses: 'packets that are dropped with a reason use another function' },
};

/** The name that this kernel has for a function of another kernel. */
export function findRenamedFunction(name: string, kernel: KernelInfo): string | undefined {
  const names = RENAMED_FUNCTIONS.find((group) => group.includes(name)) ?? [];
  return names.find((other) => other !== name && kernel.function(other) !== undefined);
}

/** The function that must be hooked as well on this kernel; undefined if `name` alone is enough. */
export function findBroaderFunction(name: string, kernel: KernelInfo): BroaderFunction | undefined {
  const broader = Object.hasOwn(PARTIAL_FUNCTIONS, name) ? PARTIAL_FUNCTIONS[name] : undefined;
  return broader !== undefined && kernel.function(broader.name) !== undefined ? broader : undefined;
}
