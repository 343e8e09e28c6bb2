// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* An enforcer on a kernel function, by kprobe, for kernels and functions without a BPF trampoline. */
#include "enforcer.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("kprobe")
int hook_entry(struct pt_regs *ctx)
{
	s32 error = 0;

	if (enforce_notification(&error) && config.overrides)
		bpf_override_return(ctx, error);
	return 0;
}
