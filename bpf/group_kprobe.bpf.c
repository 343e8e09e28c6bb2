// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A group of hooks on one kernel function, traced by a kprobe. None of them overrides. */
#define POLICY_GROUP
#define MOVES_INTO_GROUPS
#include "kprobe.bpf.h"
#include "group.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

HOOK_SEC("kprobe")
int hook_entry(struct pt_regs *ctx)
{
	run_group(ctx, FRAME_AT_ENTRY(ctx), SCRATCH_ENTRY, 0);
	return 0;
}
