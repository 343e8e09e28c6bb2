// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A hook of the Linux security modules: what it returns but 0 refuses the operation. */
#define TRAMPOLINE
#include "words.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return context_word(ctx, n);
}

SEC("lsm")
int hook_entry(void *ctx)
{
	s32 value = 0;

	return on_entry(ctx, (u64)ctx, &value) ? value : 0;
}
