// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A raw tracepoint. Its values are the parameters that the kernel passes to the tracepoint. */
#define READS_CALL_REGISTERS
#define PACKET_SIZES
#include "context_words.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return context_word(ctx, n);
}

HOOK_SEC("raw_tp")
int hook_entry(void *ctx)
{
	s32 value = 0;

	begin_exclusive();
	on_entry(ctx, (u64)ctx, &value);
	end_exclusive();
	return 0;
}
