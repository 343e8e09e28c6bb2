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
	run_group(ctx, (u64)ctx, SCRATCH_ENTRY, 0);
	return 0;
}

/*
 * Replaces hook_entry if rules override. If the program returns a value other than 0, the kernel does not run the
 * function.
 */
TYPED_SEC("fmod_ret")
long hook_override(void *ctx)
{
	return run_group(ctx, (u64)ctx, SCRATCH_ENTRY, 0);
}

TYPED_SEC("fexit")
int hook_return(void *ctx)
{
	run_group(ctx, (u64)ctx, SCRATCH_RETURN, read_return_value(ctx));
	return 0;
}
