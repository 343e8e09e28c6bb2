// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A tracepoint. Its values are the fields of its record, as tracefs describes them. */
#define TRACEPOINT_FIELDS
#include "context_words.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A tracepoint has no parameters: all values are fields. */
static __always_inline u64 hook_param(void *ctx __attribute__((unused)), u32 n __attribute__((unused)))
{
	return 0;
}

HOOK_SEC("tracepoint")
int hook_entry(void *ctx)
{
	s32 value = 0;

	on_entry(ctx, (u64)ctx, &value);
	return 0;
}
