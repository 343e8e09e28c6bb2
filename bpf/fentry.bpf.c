// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A kernel function traced through a BPF trampoline. This is the cheapest mechanism. */
#define TRAMPOLINE
#include "context_words.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The return value follows the parameters in the context. */
static __always_inline u64 read_return_value(void *ctx)
{
	u64 word = 0;

	switch (config.params) {
		CONTEXT_CASE(6, 6 * sizeof(u64))
		CONTEXT_CASE(7, 7 * sizeof(u64))
		CONTEXT_CASE(8, 8 * sizeof(u64))
		CONTEXT_CASE(9, 9 * sizeof(u64))
		CONTEXT_CASE(10, 10 * sizeof(u64))
		CONTEXT_CASE(11, 11 * sizeof(u64))
		CONTEXT_CASE(12, 12 * sizeof(u64))
	default:
		word = context_word(ctx, config.params);
	}
	return word;
}

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	u32 abi = config.syscall;

	if (abi)
		return syscall_param((void *)context_word(ctx, 0), n, abi);
	return context_word(ctx, n);
}

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
