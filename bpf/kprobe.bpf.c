// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A kernel function traced by kprobe and kretprobe, for kernels and functions without a BPF trampoline. */
#ifndef READ_PROBE
#define MOVES_INTO_GROUPS
#endif
#include "kprobe.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

HOOK_SEC("kprobe")
int hook_entry(struct pt_regs *ctx)
{
	s32 value = 0;

	if (on_entry(ctx, FRAME_AT_ENTRY(ctx), &value))
		bpf_override_return(ctx, value);
	return 0;
}

HOOK_SEC("kretprobe")
int hook_return(struct pt_regs *ctx)
{
	return on_return(ctx, FRAME_AT_RETURN(ctx), PT_REGS_RC(ctx));
}
