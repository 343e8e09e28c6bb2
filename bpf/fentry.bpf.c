// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A kernel function traced through a BPF trampoline: the cheapest way there is. */
#include "registers.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static u64 hook_param(void *ctx, u32 n);
#include "hook.bpf.h"

/* A context is read at constant offsets only. */
#define CONTEXT_WORD(number)                                                                              \
	case number:                                                                                      \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(word) : "r"(ctx), "i"((number) * sizeof(u64))); \
		break;

static __always_inline u64 context_word(void *ctx, u32 n)
{
	u64 word = 0;

	switch (n) {
		CONTEXT_WORD(0)
		CONTEXT_WORD(1)
		CONTEXT_WORD(2)
		CONTEXT_WORD(3)
		CONTEXT_WORD(4)
		CONTEXT_WORD(5)
		CONTEXT_WORD(6)
		CONTEXT_WORD(7)
		CONTEXT_WORD(8)
		CONTEXT_WORD(9)
		CONTEXT_WORD(10)
		CONTEXT_WORD(11)
		CONTEXT_WORD(12)
	}
	return word;
}

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	if (config.syscall)
		return syscall_param((void *)context_word(ctx, 0), n);
	return context_word(ctx, n);
}

/* Entry and return of one call are given the same context: it is in the trampoline's own stack frame. */
SEC("fentry")
int hook_entry(void *ctx)
{
	return on_entry(ctx, (u64)ctx);
}

SEC("fexit")
int hook_return(void *ctx)
{
	u64 return_value = context_word(ctx, config.params);

	if (config.pair)
		return on_return((u64)ctx, return_value);
	return on_entry_and_return(ctx, return_value);
}
