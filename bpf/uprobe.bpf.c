// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A function of a program or library. */
#include "probes.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return function_param(ctx, n);
}

/* Stack addresses are a process's own: the thread belongs to the key. */
static __always_inline u64 frame_of(u64 stack)
{
	return bpf_get_current_pid_tgid() << 32 ^ stack;
}

SEC("uprobe")
int hook_entry(struct pt_regs *ctx)
{
	s32 value = 0;

	on_entry(ctx, frame_of(FRAME_AT_ENTRY(ctx)), &value);
	return 0;
}

SEC("uretprobe")
int hook_return(struct pt_regs *ctx)
{
	return on_return(ctx, frame_of(FRAME_AT_RETURN(ctx)), PT_REGS_RC(ctx));
}
