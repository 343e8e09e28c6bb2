/** Functions that have another name in other kernels, or that see less there than their name suggests. */
import type { KernelInfo } from '../../../types/kernel.js';

/** Each row lists the names of one function in different versions of the kernel. */
const SAME: readonly (readonly string[])[] = [
  ['security_bpf_map_alloc', 'security_bpf_map_create'],
  ['security_bpf_prog_alloc', 'security_bpf_prog_load'],
  ['security_sb_copy_data', 'security_sb_eat_lsm_opts'],
  ['security_task_getsecid', 'security_task_getsecid_obj', 'security_task_getlsmprop_obj'],
  ['security_bprm_set_creds', 'security_bprm_creds_for_exec'],
  ['kfree_skb', 'kfree_skb_reason', 'sk_skb_reason_drop'],
];

interface Fuller {
  readonly name: string;
  readonly misses: string;
}

/** If the kernel has the function on the right, the function on the left sees only a part of the operations. */
const PARTIAL: Readonly<Record<string, Fuller>> = {
  // Since Linux 6.2 this function does not see truncation by descriptor.
  security_path_truncate: {
    name: 'security_file_truncate',
    misses: 'ftruncate and open with O_TRUNC use another function',
  },
  // Since Linux 6.8 this function does not see the calls of 32-bit programs.
  security_file_ioctl: {
    name: 'security_file_ioctl_compat',
    misses: 'the calls of 32-bit programs use another function',
  },
  kfree_skb: { name: 'kfree_skb_reason', misses: 'packets that are dropped with a reason use another function' },
};

export function knownElsewhere(name: string, kernel: KernelInfo): string | undefined {
  const names = SAME.find((group) => group.includes(name)) ?? [];
  return names.find((other) => other !== name && kernel.function(other) !== undefined);
}

export function seesLess(name: string, kernel: KernelInfo): Fuller | undefined {
  const fuller = Object.hasOwn(PARTIAL, name) ? PARTIAL[name] : undefined;
  return fuller !== undefined && kernel.function(fuller.name) !== undefined ? fuller : undefined;
}
