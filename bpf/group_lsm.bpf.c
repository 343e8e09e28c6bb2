// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A group of hooks on one LSM hook. */
#define POLICY_GROUP
#include "lsm.bpf.h"
#include "group.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TYPED_SEC("lsm")
long hook_entry(void *ctx)
{
	long result;

	begin_exclusive();
	result = clamp_error(run_group(ctx, (u64)ctx, SCRATCH_ENTRY, 0));
	end_exclusive();
	return result;
}
