// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A group of hooks on one raw tracepoint. */
#define POLICY_GROUP
#define READS_CALL_REGISTERS
#define PACKET_SIZES
#include "context_words.bpf.h"
#include "group.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return context_word(ctx, n);
}

HOOK_SEC("raw_tp")
int hook_entry(void *ctx)
{
	begin_exclusive();
	run_group(ctx, (u64)ctx, SCRATCH_ENTRY, 0);
	end_exclusive();
	return 0;
}
