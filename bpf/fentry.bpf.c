// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A kernel function traced through a BPF trampoline. This is the cheapest mechanism. */
#ifndef READ_PROBE
#define MOVES_INTO_GROUPS
#endif
#include "trampoline.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The entry and the return of a call have the same context, because it is in the stack frame of the trampoline. */
TYPED_SEC("fentry")
int hook_entry(void *ctx)
{
	s32 value = 0;

	on_entry(ctx, (u64)ctx, &value);
	return 0;
}

/*
 * Replaces hook_entry if a selector overrides. If the program returns a value other than 0, the kernel does not run the
 * function.
 */
TYPED_SEC("fmod_ret")
long hook_override(void *ctx)
{
	s32 value = 0;

	return on_entry(ctx, (u64)ctx, &value) ? value : 0;
}

TYPED_SEC("fexit")
int hook_return(void *ctx)
{
	return on_return(ctx, (u64)ctx, read_return_value(ctx));
}
