// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A group of hooks on one kernel function, traced through a BPF trampoline. */
#define POLICY_GROUP
#define MOVES_INTO_GROUPS
#include "trampoline.bpf.h"
#include "group.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TYPED_SEC("fentry")
int hook_entry(void *ctx)
{
	return run_group(ctx, SCRATCH_ENTRY, 0);
}

TYPED_SEC("fexit")
int hook_return(void *ctx)
{
	return run_group(ctx, SCRATCH_RETURN, read_return_value(ctx));
}
